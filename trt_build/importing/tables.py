"""The phones and tones a voice was trained with, in the order of their ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engines.text.symbols import (
    BREAKS,
    DATA,
    EMOTIONS,
    PADDING,
    SYLLABLE_FLAGS,
    WORD_SEGMENTS,
    read_phones,
    read_tones,
)
from trt_build.export.errors import ExportError
from trt_build.export.sambert import Vocabulary
from trt_build.importing.archive import unpack
from trt_build.importing.layout import DEPTH, RESOURCE, folders_below

FILES = ("PhoneSet.xml", "tonelist.txt")
LANGUAGE = "PinYin"
KANTTS = "KAN-TTS's own"


@dataclass(frozen=True, slots=True)
class Tables:
    """phones and tones in id order. mask: whether ids for [MASK] follow. origin: for people."""

    phones: tuple[str, ...]
    tones: tuple[str, ...]
    mask: bool
    origin: str


def find_tables(voice: Path, model_dir: Path, scratch: Path) -> Path | None:
    """The folder with PhoneSet.xml and tonelist.txt: of the voice, else of all it came with.

    Raises:
        ExportError: archive_unreadable, archive_unsafe.
    """
    for root, depth in ((voice, DEPTH), (model_dir, 2)):
        if found := _tables_below(root, depth):
            return found
    for root in (voice, model_dir):
        if (root / RESOURCE).is_file():
            unpack(root / RESOURCE, scratch / "resource", _is_table)
            return _tables_below(scratch / "resource", DEPTH)
    return None


def _is_table(member: str) -> bool:
    return member.endswith(tuple(f"{LANGUAGE}/{name}" for name in FILES))


def _tables_below(root: Path, depth: int) -> Path | None:
    for folder in folders_below(root, depth):
        both = all((folder / name).is_file() for name in FILES)
        if both and (folder.name == LANGUAGE or folder == root):
            return folder
    return None


def fitting_tables(folder: Path | None, vocabulary: Vocabulary) -> Tables:
    """The tables of a folder (None: KAN-TTS's own), checked against the embeddings' rows.

    Raises:
        ExportError: tables_mismatch.
        VoiceError: voice_broken, a table cannot be read.
    """
    origin = KANTTS if folder is None else str(folder)
    source = DATA if folder is None else folder
    phones, tones = read_phones(source / FILES[0]), read_tones(source / FILES[1])
    names = {
        "phones": (len(phones) + len(BREAKS), vocabulary.sy),
        "tones": (len(tones), vocabulary.tone),
        "syllable flags": (len(SYLLABLE_FLAGS), vocabulary.syllable_flag),
        "word segments": (len(WORD_SEGMENTS), vocabulary.word_segment),
        "emotions": (len(EMOTIONS), vocabulary.emotion),
    }
    extra = {what: rows - count - len(PADDING) for what, (count, rows) in names.items()}
    mask = max(extra.values())
    if mask in (0, 1) and set(extra.values()) == {mask}:
        label = origin if folder is None else "/".join(folder.resolve().parts[-2:])
        return Tables(phones, tones, bool(mask), label)
    told = ", ".join(
        f"{what}: {count + len(PADDING)} (with [MASK] {count + len(PADDING) + 1}) ids for {rows}"
        for what, (count, rows) in names.items()
        if extra[what] not in (0, 1) or len(set(extra.values()) & {0, 1}) > 1
    )
    raise ExportError(
        "tables_mismatch",
        f"the tables ({origin}) do not fit the rows of the voice's embeddings: {told}. Name the "
        f"folder with the {' and '.join(FILES)} it was trained with: --tables DIR",
    )
