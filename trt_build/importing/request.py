"""What a user asks an import for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trt_build.importing.speakers import Wish


@dataclass(frozen=True, slots=True)
class Request:
    """What to import and how; see `python -m trt_build import --help`."""

    model_dir: Path | None
    out: Path
    voice: str | None = None
    am: Path | None = None
    voc: Path | None = None
    tables: Path | None = None
    speakers: Sequence[Wish] = ()
    emotions: Sequence[str] = ()
    sample_rate: int | None = None
    name: str | None = None
    language: str | None = None
    licence: str | None = None
