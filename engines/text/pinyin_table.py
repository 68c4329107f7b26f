"""Readings of phrases and characters as pypinyin has them, from flat tables (data/README.md)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

_DATA: Final = Path(__file__).parent / "data" / "pinyin"
PHRASES: Final = _DATA / "by_phrase.txt"
CHARACTERS: Final = _DATA / "by_character.txt"


class Phrases:
    """The readings of phrases of two characters and more; see `phrases`."""

    def __init__(self) -> None:
        lines = PHRASES.read_text(encoding="utf-8").splitlines()
        self._readings = {
            phrase: rest for phrase, _, rest in (line.partition(" ") for line in lines)
        }

    def __contains__(self, phrase: str) -> bool:
        return phrase in self._readings

    def read(self, phrase: str) -> list[str]:
        """A reading ("hang2", v for ü) for each character. Raises KeyError for no phrase."""
        return self._readings[phrase].split()


@cache
def phrases() -> Phrases:
    """The table, read once."""
    return Phrases()


def first_reading(character: str) -> str:
    """The first reading of a character, "" for one that has none."""
    codes, numbers, readings = _characters()
    place = int(np.searchsorted(codes, ord(character)))
    if place == len(codes) or codes[place] != ord(character):
        return ""
    return readings[int(numbers[place])]


@cache
def _characters() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint16], list[str]]:
    """Codes of the characters in order, the number of the reading of each, and the readings."""
    rows = [line.split(" ") for line in CHARACTERS.read_text(encoding="utf-8").splitlines()]
    codes = np.frombuffer("".join(row[1] for row in rows).encode("utf-32-le"), "<u4")
    numbers = np.repeat(np.arange(len(rows), dtype=np.uint16), [len(row[1]) for row in rows])
    order = np.argsort(codes)
    return codes[order].astype(np.uint32), numbers[order], [row[0] for row in rows]
