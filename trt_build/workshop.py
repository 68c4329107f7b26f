"""Half-way results of a build that may be interrupted: the next one goes on with them."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from engines.store import write_atomically
from trt_build.errors import cannot_write

FOLDER = "work"


class Workshop:
    """Files by key, in a folder that is removed when the build is published.

    A file's name holds its SHA-256, so that a damaged one is known.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, key: str, suffix: str, data: bytes) -> Path:
        """Keep a file, whole or not at all.

        Raises:
            BuildError: disk_full, cannot_write.
        """
        path = self.folder / f"{key[:32]}.{hashlib.sha256(data).hexdigest()}{suffix}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)
        except OSError as error:
            raise cannot_write(path, error) from error
        return path

    def get(self, key: str, suffix: str) -> Path | None:
        """A file that was kept and is as it was."""
        for path in self.folder.glob(f"{key[:32]}.*{suffix}"):
            if hashlib.sha256(path.read_bytes()).hexdigest() == path.name.split(".")[1]:
                return path
            path.unlink(missing_ok=True)
        return None

    def adopt(self, part: Path, key: str, suffix: str, data: bytes) -> Path:
        """Keep a file that already lies in the folder under another name."""
        path = self.folder / f"{key[:32]}.{hashlib.sha256(data).hexdigest()}{suffix}"
        os.replace(part, path)
        return path

    def clear(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)
