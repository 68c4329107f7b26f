"""Text in columns, as wide as a terminal shows it: a Chinese character takes two."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

WIDE = ("W", "F")  # of Unicode's East Asian width
NO_WIDTH = ("Mn", "Me", "Cf")  # categories of characters that go onto the one before


def width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    return sum(
        2 if unicodedata.east_asian_width(character) in WIDE else 1
        for character in text
        if unicodedata.category(character) not in NO_WIDTH
    )


def columns(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> Iterator[str]:
    """Lines of rows of equal length, each column as wide as its widest; `right` ones end even."""
    widest = [max(map(width, column)) for column in zip(*rows)]
    ends_even = set(right)
    for row in rows:
        cells = []
        for at, cell in enumerate(row):
            space = " " * (widest[at] - width(cell))
            cells.append(space + cell if at in ends_even else cell + space)
        yield "  ".join(cells).rstrip()


def listed(head: str, words: Iterable[str], room: int) -> Iterator[str]:
    """`head` and words apart by commas, in lines of at most `room` columns where words allow."""
    line, indent = head, " " * width(head)
    some = list(words)
    for at, word in enumerate(some):
        piece = word + ("," if at + 1 < len(some) else "")
        if width(line) + 1 + width(piece) > room and line.strip() != head.strip():
            yield line
            line = indent
        line += f" {piece}"
    yield line
