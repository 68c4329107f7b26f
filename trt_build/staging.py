"""A place beside the folder to write, swapped in when all is well and gone when it is not."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trt_build.export.errors import ExportError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PACK_FILE = "voice.toml"


@contextmanager
def staging(out: Path, own: Collection[str] = ()) -> Iterator[Path]:
    """A folder whose `pack` becomes `out` at the end, with what else an earlier pack holds there.

    own: names that an earlier pack does not hand on.

    It lies one level deeper than packs do, so a daemon that looks for voices does not see it.

    Raises:
        ExportError: out_taken, cannot_write; cannot_read, what the work inside could not read.
    """
    out = out.resolve()
    place: Path | None = None
    made: list[Path] = []
    try:
        if out.exists() and not (out / PACK_FILE).is_file() and not _empty(out):
            raise ExportError(
                "out_taken",
                f"{out} exists and is no voice pack, so it is left alone; name another folder with "
                "--out",
            )
        made = [p for p in out.parents if not p.exists()]
        out.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        pack = place / "pack"
        pack.mkdir()
        yield place
        _keep(out, pack, own)
        _swap(pack, out, place / "old")
    except OSError as error:
        raise _told(error, out, place) from error
    finally:
        if place is not None and (out.exists() or not (place / "old").exists()):
            shutil.rmtree(place, ignore_errors=True)
        with suppress(OSError):  # not empty: all went well
            for folder in made:
                folder.rmdir()


def _empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _keep(out: Path, pack: Path, own: Collection[str]) -> None:
    """Copy what the earlier pack has and the new one does not, such as its LICENSE."""
    for path in sorted(out.rglob("*")) if out.is_dir() else ():
        target = pack / path.relative_to(out)
        if path.is_dir() and not path.is_symlink():
            target.mkdir(exist_ok=True)
        elif not target.exists() and path.relative_to(out).as_posix() not in own:
            shutil.copy2(path, target, follow_symlinks=False)


def _swap(pack: Path, out: Path, old: Path) -> None:
    """Put the pack in the place of the old one, which comes back whatever stops that."""
    had = out.is_dir()
    try:
        if had:
            os.replace(out, old)
        os.replace(pack, out)
    except BaseException:
        if old.exists() and not out.exists():
            os.replace(old, out)
        raise


def _told(error: OSError, out: Path, place: Path | None) -> ExportError:
    """Whether reading the voice failed or writing the pack, by the file it was about."""
    path = Path(error.filename) if error.filename else out
    written = (out, place) if place else (out,)
    if path not in out.parents and not any(p in (path, *path.parents) for p in written):
        return ExportError(
            "cannot_read", f"cannot read {path}: {error.strerror}; see that you may read it"
        )
    cure = "name a folder you may write with --out"
    if error.errno in _FULL:
        cure = "free some space, or name a folder on another disk with --out"
    return ExportError(
        "cannot_write",
        f"cannot write {path}: {error.strerror}; {cure}. What was there before is untouched",
    )
