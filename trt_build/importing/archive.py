"""Zip files of strangers, unpacked without leaving the folder or filling the disk."""

from __future__ import annotations

import errno
import lzma
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from trt_build.export.errors import ExportError

MAX_BYTES = 8 << 30  # unpacked, all files together
MAX_FILES = 20_000
_LFS = b"version https://git-lfs"
_ABOUT_THE_DISK = (errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.ENOSPC, errno.EROFS)
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    LookupError,
    MemoryError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def anything(name: str) -> bool:
    """Every member of an archive, whatever its name."""
    del name
    return True


class Budget:
    """What may still be unpacked, of all archives of one voice together."""

    def __init__(self) -> None:
        self.bytes, self.files = MAX_BYTES, MAX_FILES

    def take(self, archive: Path, members: Sequence[zipfile.ZipInfo]) -> None:
        """Count members off.

        Raises:
            ExportError: archive_unsafe, they are more than that.
        """
        size = sum(member.file_size for member in members)
        self.bytes, self.files = self.bytes - size, self.files - len(members)
        if self.bytes < 0 or self.files < 0:
            raise ExportError(
                "archive_unsafe",
                f"{archive} would unpack to {size / 1e9:.1f} GB in {len(members)} files; all of a "
                f"voice's archives together may have {MAX_BYTES / 1e9:.1f} GB and {MAX_FILES} "
                "files. Nothing of it was unpacked. Unpack it yourself if you trust it, and name "
                "that folder",
            )


def unpack(
    archive: Path,
    into: Path,
    wanted: Callable[[str], bool] = anything,
    budget: Budget | None = None,
) -> None:
    """Unpack the wanted members, judged by their names, into a folder; all names are checked first.

    Raises:
        ExportError: archive_unreadable, archive_unsafe, cannot_write.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.infolist() if not m.is_dir()]
            _check(archive, members)
            chosen = [member for member in members if wanted(member.filename)]
            (budget or Budget()).take(archive, chosen)
            for member in chosen:
                _extract(opened, member, into / PurePosixPath(member.filename))
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as e:
        raise _unreadable(archive, f"a member is both a file and a folder: {e.filename}") from e
    except OSError as e:
        if e.errno in _ABOUT_THE_DISK:
            raise
        raise _unreadable(archive, str(e)) from e
    except _DAMAGED as e:
        raise _unreadable(archive, str(e)) from e


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)


def _unreadable(archive: Path, why: str) -> ExportError:
    with archive.open("rb") as file:
        pointer = file.read(len(_LFS)) == _LFS
    cure = (
        "is a pointer of Git LFS, not the archive; run `git lfs pull` where you cloned"
        if pointer
        else f"cannot be unpacked ({why}); copy it anew, or unpack it yourself beside it"
    )
    return ExportError("archive_unreadable", f"{archive} {cure}")


def _check(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        name = member.filename
        path = PurePosixPath(name)
        fault = None
        if not path.parts or "\0" in name:
            fault = "a member with no name"
        elif path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
            fault = "a path outside its folder"
        elif stat.S_ISLNK(member.external_attr >> 16):
            fault = "a link"
        if fault:
            raise ExportError(
                "archive_unsafe",
                f"{archive} holds {fault}: {name!r}; nothing of it was unpacked. Get the archive "
                "from where the voice is published",
            )
