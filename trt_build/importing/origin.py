"""Where an imported voice came from: its files, told apart by their hashes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class OriginFile:
    """One file, by its path within the voice."""

    name: str
    sha256: str

    @classmethod
    def of(cls, path: Path, root: Path) -> OriginFile:
        """Read the file."""
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        name = path.relative_to(root) if root in path.parents else Path(*path.parts[-3:])
        return cls(str(name), digest.hexdigest())
