"""What of a text is not in its speech: found by looking which characters no syllable stands for."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from engines.text.characters import HAN, plain
from engines.text.links import named_signs
from engines.text.normalize import PAUSES, SILENT
from engines.text.script import Script
from engines.text.sentence import Unread
from engines.text.spans import Span, key

MOST: Final = 1000  # places that are told of one text; its memory does not grow with the text

_NOTHING: Final = PAUSES | SILENT | {" "}
_MARKUP: Final = frozenset("#*+>")  # of Markdown; left out on purpose at the head of a line
_DOUBTFUL: Final = frozenset("+=×÷±≈≠≥≤><")  # signs that are said between numbers, else left out


@dataclass(slots=True)
class Ledger:
    """Goes through a script from the left, sentence by sentence."""

    script: Script
    _at: int = 0
    _told: int = 0

    def take(self, end: int, said: Iterable[Span], dropped: Collection[str]) -> Iterator[Unread]:
        """What is not said up to character `end` of the script, MOST places in all.

        said: spans of what is said. dropped: the characters, made plain, that had to be left out.
        """
        if end <= self._at or self._told > MOST:
            return
        for unread in self._found(end, said, dropped):
            self._told += 1
            if self._told > MOST:
                yield Unread("more_left_out", unread.text, unread.start, unread.end)
                return
            yield unread

    def _found(self, end: int, said: Iterable[Span], dropped: Collection[str]) -> Iterator[Unread]:
        start, self._at = self._at, max(end, self._at)
        covered = {place for first, last in said for place in range(first, last)}
        text, run = self.script.text, list[int]()
        covered.update(named_signs(text, start, self._at))
        for place in range(start, self._at):
            if run and not _made(text[place]):
                run.append(place)  # it belongs to the emoji before it
            elif self._is_unread(text[place], place in covered, dropped):
                if run and _code(text[run[0]]) != _code(text[place]):
                    yield self._unread(run)
                    run = []
                run.append(place)
            elif run:
                yield self._unread(run)
                run = []
        if run:
            yield self._unread(run)

    def _is_unread(self, character: str, covered: bool, dropped: Collection[str]) -> bool:
        made = _made(character)
        if covered or character in _MARKUP or _is_heard(made):
            signs = () if covered else _MARKUP
            return any(m in dropped and (m not in _DOUBTFUL or m in signs) for m in made)
        return not _NOTHING.issuperset(made)

    def _unread(self, run: list[int]) -> Unread:
        first, last = run[0], run[-1] + 1
        text = self.script.text[first:last]
        return Unread(_code(text[0]), text, *self.script.span(first, last))


@lru_cache(1 << 12)
def _made(character: str) -> str:
    """What normalisation makes of a character by itself."""
    return key(character) if HAN.match(character) else plain(character)


def _is_heard(made: str) -> bool:
    """Letters, digits and Chinese characters are never left out without being told in `dropped`.

    The spans may miss one that is said elsewhere in its sentence, as in 元/㎡ -> 每平方米.
    """
    return all(
        (character.isascii() and character.isalnum()) or HAN.match(character) for character in made
    )


def _code(character: str) -> str:
    sign = unicodedata.category(character) in ("So", "Sk", "Me")
    return "emoji_left_out" if sign else "character_unreadable"
