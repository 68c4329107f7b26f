"""Zip files of strangers, unpacked without leaving the folder or filling the disk."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from trt_build.export.errors import ExportError

MAX_BYTES = 8 << 30  # unpacked, all files together
MAX_FILES = 20_000
_LFS = b"version https://git-lfs"


def everything(name: str) -> bool:
    """Every member of an archive."""
    return bool(name)


def unpack(archive: Path, into: Path, wanted: Callable[[str], bool] = everything) -> None:
    """Unpack the wanted members, judged by their names, into a folder; all names are checked first.

    Raises:
        ExportError: archive_unreadable, archive_unsafe.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.infolist() if not m.is_dir()]
            _check(archive, members)
            chosen = [member for member in members if wanted(member.filename)]
            _check_size(archive, chosen)
            for member in chosen:
                target = into / PurePosixPath(member.filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as e:
        with archive.open("rb") as file:
            pointer = file.read(len(_LFS)) == _LFS
        cure = (
            "is a pointer of Git LFS, not the archive; run `git lfs pull` where you cloned"
            if pointer
            else f"cannot be unpacked ({e}); copy it anew, or unpack it yourself beside it"
        )
        raise ExportError("archive_unreadable", f"{archive} {cure}") from e


def _check(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        name = member.filename
        path = PurePosixPath(name)
        fault = None
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
            fault = "a path outside its folder"
        elif stat.S_ISLNK(member.external_attr >> 16):
            fault = "a link"
        if fault:
            raise ExportError(
                "archive_unsafe",
                f"{archive} holds {fault}: {name!r}; nothing of it was unpacked. Get the archive "
                "from where the voice is published",
            )


def _check_size(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    size = sum(member.file_size for member in members)
    if size > MAX_BYTES or len(members) > MAX_FILES:
        raise ExportError(
            "archive_unsafe",
            f"{archive} would unpack to {size / 1e9:.1f} GB in {len(members)} files, more than any "
            f"voice has ({MAX_BYTES / 1e9:.1f} GB, {MAX_FILES} files); nothing of it was unpacked. "
            "Unpack it yourself if you trust it, and name that folder",
        )
