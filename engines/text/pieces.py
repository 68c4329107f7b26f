"""Long text in pieces that are made plain one at a time, so that time and memory stay bounded.

The rules for numbers and links look ahead as far as a token goes: on one token of a megabyte that
would take for ever, and ten megabytes at once would take long before the first word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from engines.text.endings import CLOSERS, is_stop

LONGEST_PIECE: Final = 1000  # characters
_ENOUGH: Final = 400  # a piece ends with the first sentence or line after so many

_SENTENCE: Final = re.compile(
    rf"(?:[。！？!?]+|\.(?=\s))[{CLOSERS}]*(?:[^\S\n]*\n)?(?![。！？!?…{CLOSERS}])|\n(?=\S)"
)
_PAUSE: Final = re.compile(r"[，；：、,;]|\s(?=\S)")
_INSIDE: Final = re.compile(r"[A-Za-z0-9.,:/_-]")


def pieces(text: str) -> Iterator[str]:
    """The text in order, nothing lost: cut after a sentence or line, in one too long at a pause."""
    start = 0
    while len(text) - start > _ENOUGH:
        end = _end(text, start)
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def _end(text: str, start: int) -> int:
    limit = min(len(text), start + LONGEST_PIECE)
    for found in _SENTENCE.finditer(text, start + _ENOUGH, limit):
        if found[0][0] != "." or is_stop(text, found.start()):
            return found.end()
    if limit == len(text):
        return limit
    pauses = list(_PAUSE.finditer(text, start + LONGEST_PIECE // 2, limit))
    if pauses:
        return pauses[-1].end()
    for end in range(limit, limit - LONGEST_PIECE // 4, -1):
        if not (_INSIDE.match(text[end - 1]) and _INSIDE.match(text[end])):
            return end
    return limit
