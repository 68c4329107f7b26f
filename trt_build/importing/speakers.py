"""Who a voice can be: the ids or embeddings behind the names a caller may ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.session import Floats
from engines.text.symbols import EMOTIONS, PADDING
from trt_build.export.config import CONFIG, entry
from trt_build.export.errors import ExportError
from trt_build.export.sambert import Sambert
from trt_build.importing.layout import ModelFolder
from trt_build.importing.numbers import read_numbers

EMBEDDING = "se.npy"
USUAL = "F7"  # whom ModelScope's front end names in every symbol
PREFIX = "emotion_"


@dataclass(frozen=True, slots=True)
class Wish:
    """A speaker to offer: a name of the voice's, or any name with the file of its embedding."""

    name: str
    embedding: Path | None = None

    @classmethod
    def parse(cls, text: str) -> Wish:
        """NAME or NAME=FILE."""
        name, equals, path = text.partition("=")
        return cls(name, Path(path) if equals else None)


@dataclass(frozen=True, slots=True)
class Speakers:
    """names: to offer, the first is the default. ids: rows of the voice's table, or None in a voice
    of embeddings (speakers, units)."""

    names: tuple[str, ...]
    ids: tuple[int, ...] | None
    embeddings: Floats | None


def speaker_list(config: dict[str, Any], am: ModelFolder) -> tuple[str, ...]:
    """The names in an acoustic model's config, in id order.

    Raises:
        ExportError: config_incomplete.
    """
    named = entry(config, "linguistic_unit", "speaker_list")
    names = tuple(n.strip() for n in named.split(",")) if isinstance(named, str) else ()
    printable = all(name and name.isprintable() for name in names)
    if not names or not printable or len(set(names)) < len(names):
        raise ExportError(
            "config_incomplete",
            f"{am.folder / CONFIG} has no linguistic_unit.speaker_list of different names; copy "
            "the voice's anew",
        )
    return names


def chosen_speakers(
    model: Sambert, listed: tuple[str, ...], am: ModelFolder, wishes: Sequence[Wish], mask: bool
) -> Speakers:
    """The speakers asked for, or all there are with the usual one first.

    Raises:
        ExportError: speaker_unknown, speaker_unusable, tables_mismatch.
    """
    names = [wish.name for wish in wishes]
    if not all(names) or len(set(names)) < len(names):
        raise ExportError(
            "speaker_unknown", f"--speaker {', '.join(names)}: give each speaker a name, once"
        )
    if model.takes_embeddings:
        return _embedded(model, listed, am, wishes)
    files = [wish for wish in wishes if wish.embedding]
    if files:
        raise ExportError(
            "speaker_unusable",
            f"--speaker {files[0].name}={files[0].embedding}: this voice has speaker ids, no "
            f"embeddings; it has: {', '.join(listed)}",
        )
    rows, ids = model.vocabulary.speaker, len(listed) + len(PADDING) + mask
    if rows != ids:
        raise ExportError(
            "tables_mismatch",
            f"linguistic_unit.speaker_list of {am.folder / CONFIG} makes {ids} ids, the checkpoint "
            f"has {rows} rows of speakers; put the config.yaml it was trained with beside it",
        )
    unknown = [name for name in names if name not in listed]
    if unknown:
        raise ExportError(
            "speaker_unknown", f"no speaker {unknown[0]!r}; --speaker can be: {', '.join(listed)}"
        )
    kept = tuple(names) or tuple(sorted(listed, key=lambda name: name != USUAL))
    return Speakers(kept, tuple(listed.index(name) for name in kept), None)


def _embedded(
    model: Sambert, listed: tuple[str, ...], am: ModelFolder, wishes: Sequence[Wish]
) -> Speakers:
    own = am.folder / EMBEDDING
    if not wishes and own.is_file():
        wishes = (Wish(listed[0]),)
    if not wishes:
        raise ExportError(
            "speaker_unusable",
            f"this voice takes speaker embeddings (SE: true) and there is no {own}; give one with "
            f"--speaker NAME={EMBEDDING}",
        )
    units: int = model.params["speaker_units"]
    rows = [_embedding(wish.embedding or own, units) for wish in wishes]
    return Speakers(tuple(wish.name for wish in wishes), None, np.stack(rows))


def _embedding(path: Path, units: int) -> Floats:
    """The embedding (units,) of a .npy file."""
    try:
        return read_numbers(path, units).astype(np.float32)
    except (OSError, ValueError) as e:
        raise ExportError(
            "speaker_unusable",
            f"cannot read a speaker embedding from {path} ({e}); this voice takes a .npy of "
            f"{units} finite numbers (1, {units})",
        ) from e


def chosen_emotions(wishes: Sequence[str]) -> tuple[str, ...]:
    """KAN-TTS's names of the emotions to offer, or all; emotion_none stays, for breaks.

    Raises:
        ExportError: emotion_unknown.
    """
    if not wishes:
        return EMOTIONS
    names = [wish if wish.startswith(PREFIX) else PREFIX + wish for wish in wishes]
    unknown = [name for name in names if name not in EMOTIONS]
    if unknown:
        have = ", ".join(name.removeprefix(PREFIX) for name in EMOTIONS)
        raise ExportError(
            "emotion_unknown",
            f"no emotion {unknown[0].removeprefix(PREFIX)!r}; --emotion can be: {have}",
        )
    return tuple(dict.fromkeys((EMOTIONS[0], PREFIX + "neutral", *names)))
