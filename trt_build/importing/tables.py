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
from trt_build.importing.layout import DEPTH, RESOURCE, TABLES, VoiceFolders, folders_below

NEAR = 2  # folders below one around the voice
LANGUAGE = "PinYin"
KANTTS = "KAN-TTS's own"


@dataclass(frozen=True, slots=True)
class Tables:
    """phones and tones in id order. mask: whether ids for [MASK] follow. origin: for people."""

    phones: tuple[str, ...]
    tones: tuple[str, ...]
    mask: bool
    origin: str


def find_tables(voice: VoiceFolders, scratch: Path) -> Path | None:
    """The folder with PhoneSet.xml and tonelist.txt: of the voice, else the nearest around it.

    Raises:
        ExportError: archive_unreadable, archive_unsafe.
    """
    for root in voice.around:
        if found := _tables_below(root, DEPTH if root == voice.root else NEAR):
            return found
    for number, root in enumerate(voice.around):
        if (root / RESOURCE).is_file():
            into = scratch / f"resource-{number}"
            unpack(root / RESOURCE, into, _is_table)
            if found := _tables_below(into, DEPTH):
                return found
    return None


def _is_table(member: str) -> bool:
    return member.endswith(tuple(f"{LANGUAGE}/{name}" for name in TABLES))


def _tables_below(root: Path, depth: int) -> Path | None:
    for folder in folders_below(root, depth):
        both = all((folder / name).is_file() for name in TABLES)
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
    phones, tones = read_phones(source / TABLES[0]), read_tones(source / TABLES[1])
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
        f"folder with the {' and '.join(TABLES)} it was trained with: --tables DIR",
    )


def doubts(tables: Tables, folder: Path | None) -> list[str]:
    """What a listener should know where it is not certain that these were trained with."""
    if folder is None:
        return [
            "no PhoneSet.xml and tonelist.txt came with the voice: KAN-TTS's own were taken. If "
            "phones or tones are wrong, name those it was trained with: --tables DIR"
        ]
    own = (read_phones(DATA / TABLES[0]), read_tones(DATA / TABLES[1]))
    same_sizes = (len(own[0]), len(own[1])) == (len(tables.phones), len(tables.tones))
    if same_sizes and own != (tables.phones, tables.tones):
        return [
            f"the tables of {tables.origin} and KAN-TTS's own fit alike and differ; the voice's "
            f"were taken. If phones or tones are wrong, try --tables {DATA}"
        ]
    return []
