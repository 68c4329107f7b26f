"""A wheel that holds nothing but what it says of itself."""

from __future__ import annotations

import zipfile
from pathlib import Path


def wheel(folder: Path, name: str, version: str, facts: str) -> Path:
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{facts}\n"
        archive.writestr(f"{name}-{version}.dist-info/METADATA", text)
    return path
