"""A place beside the folder to write, swapped in when all is well and gone when it is not."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trt_build.export.errors import ExportError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
PACK_FILE = "voice.toml"


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """A folder whose `pack` becomes `out` at the end, with what else an earlier pack holds there.

    It lies one level deeper than packs do, so a daemon that looks for voices does not see it.

    Raises:
        ExportError: out_taken, cannot_write.
    """
    out = out.resolve()
    if out.exists() and not (out / PACK_FILE).is_file() and not _empty(out):
        raise ExportError(
            "out_taken",
            f"{out} exists and is no voice pack, so it is left alone; name another folder with "
            "--out",
        )
    place: Path | None = None
    made = [p for p in out.parents if not p.exists()]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        pack = place / "pack"
        pack.mkdir()
        yield place
        _keep(out, pack)
        _swap(pack, out, place / "old")
    except OSError as error:
        raise _told(error, out) from error
    finally:
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)
        with suppress(OSError):  # not empty: all went well
            for folder in made:
                folder.rmdir()


def _empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _keep(out: Path, pack: Path) -> None:
    """Copy what the earlier pack has and the new one does not, such as its LICENSE."""
    for path in sorted(out.rglob("*")) if out.is_dir() else ():
        target = pack / path.relative_to(out)
        if path.is_dir() and not path.is_symlink():
            target.mkdir(exist_ok=True)
        elif not target.exists():
            shutil.copy2(path, target, follow_symlinks=False)


def _swap(pack: Path, out: Path, old: Path) -> None:
    """Put the pack in the place of the old one, which comes back if that fails."""
    had = out.is_dir()
    if had:
        os.replace(out, old)
    try:
        os.replace(pack, out)
    except OSError:
        if had:
            os.replace(old, out)
        raise


def _told(error: OSError, out: Path) -> ExportError | OSError:
    if error.errno in _FULL:
        cure = "free some space, or name a folder on another disk with --out"
    elif error.errno in _DENIED:
        cure = "name a folder you may write with --out"
    else:
        return error
    return ExportError(
        "cannot_write",
        f"cannot write {error.filename or out.parent}: {error.strerror}; {cure}. What was there "
        "before is untouched",
    )
