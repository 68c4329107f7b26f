"""What became of each span of a text: read as, pinyin, phones; and what is not read."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from engines.text.sentence import Sentence, Syllable, Unread, Word
from engines.text.symbols import syllable_phones

_HEADS = ("span", "text", "read as", "pinyin", "phones")


@dataclass(frozen=True, slots=True)
class Row:
    """Characters `start` to `end` of the user's text, and the words that were made of them.

    phones: each with its tone, as in KAN-TTS's symbols: "n_c$tone2".
    """

    start: int
    end: int
    text: str
    read_as: str
    pinyin: tuple[str, ...]
    phones: tuple[str, ...]


def rows(text: str, sentences: Sequence[Sentence]) -> list[Row]:
    """A row for each word, or for several where they were made of the same characters."""
    words = chain.from_iterable(sentence.words for sentence in sentences)
    return [_row(text, group) for group in _groups(words)]


def table(text: str, sentences: Sequence[Sentence], unread: Sequence[Unread]) -> str:
    """The rows as a table for a terminal, in the order of the text."""
    read = [
        (
            row.start,
            f"{row.start}-{row.end}",
            _shown(row.text),
            row.read_as,
            " ".join(row.pinyin) if row.pinyin[0].islower() else " . ".join(row.pinyin),
            " ".join(row.phones),
        )
        for row in rows(text, sentences)
    ]
    left = [
        (part.start, f"{part.start}-{part.end}", _shown(part.text), "-", part.code, "")
        for part in unread
    ]
    lines = [_HEADS, *(line[1:] for line in sorted([*read, *left], key=lambda line: line[0]))]
    widths = [max(width(line[column]) for line in lines) for column in range(len(_HEADS) - 1)]
    return "\n".join("  ".join((*map(padded, line, widths), line[-1])).rstrip() for line in lines)


def width(text: str) -> int:
    """Columns of a terminal."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def padded(text: str, wanted: int) -> str:
    """The text with blanks up to that many columns."""
    return text + " " * (wanted - width(text))


def _groups(words: Iterator[Word]) -> Iterator[list[Word]]:
    group: list[Word] = []
    end = 0
    for word in words:
        if group and word.span[0] >= end:
            yield group
            group = []
        group.append(word)
        end = max(end, word.span[1]) if len(group) > 1 else word.span[1]
    if group:
        yield group


def _row(text: str, words: Sequence[Word]) -> Row:
    start, end = min(w.span[0] for w in words), max(w.span[1] for w in words)
    syllables = [syllable for word in words for syllable in word.syllables]
    return Row(
        start,
        end,
        text[start:end],
        "".join(word.text for word in words),
        tuple(syllable.pinyin for syllable in syllables),
        tuple(chain.from_iterable(map(_phones, syllables))),
    )


def _phones(syllable: Syllable) -> list[str]:
    phones, tone = syllable_phones(syllable.pinyin)
    return [f"{phone}${tone}" for phone in phones]


def _shown(text: str) -> str:
    """The characters on one line; what cannot be printed by its number."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in line)
