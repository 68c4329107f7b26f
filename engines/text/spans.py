"""Where each character of a normalised text stands in the text as the user wrote it."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final

import opencc

from engines.text.numbers import NUMERALS

Span = tuple[int, int]  # first character, and the one after the last

_WINDOW: Final = 64  # characters ahead in which both texts are expected to agree again
_FAR: Final = 4096  # where they did not: much was left out, or a link was spelled
_DIGITS: Final[Mapping[str, str]] = MappingProxyType(
    {**dict(zip("0123456789", "零一二三四五六七八九", strict=True))}
)
_KEPT: Final = frozenset("，。！？；：（）")  # by normalisation, though NFKC makes them ASCII
_SIGNS: Final = frozenset("×÷±≈≠≥≤")  # that are said between numbers
# Inside an emoji: joiner, looks, key cap, shades of skin.
_JOINED: Final = frozenset(
    "\u200d\ufe0e\ufe0f\u20e3\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
)
_LEADING: Final = frozenset("，、；：,;: \n")
_ENDS: Final = frozenset("。！？!?\n")


class Aligner:
    """Follows a text and what is made of it side by side, from the left to the right.

    What both have in common (the same character, or its simplified form) stands for itself; what
    differs between two such places stands for all of it: in 共3.5元 the characters 三点五 have the
    span of "3.5". Costs a few microseconds a character, whatever the text.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0

    @property
    def at(self) -> int:
        """The character of the source that comes next."""
        return self._at

    def take(self, text: str, dropped: Collection[str] = ()) -> list[Span]:
        """The spans of the next piece of the normalised text, one for each of its characters.

        dropped: characters that had to be left out, and so stand for nothing.
        """
        source, spans, place = self._source, list[Span](), 0
        passed = {c for c in dropped if not c.isascii() and c not in _SIGNS}
        if text and text[0] not in _LEADING:
            self._pass(_LEADING)  # pauses before the first word, which are left out
        while place < len(text):
            if passed:
                self._pass(passed)
            at = self._at
            if at < len(source) and _same(source[at], text[place]):
                spans.append((at, at + 1))
                self._at, place = at + 1, place + 1
                continue
            digits = self._digits(text, place)
            if digits:
                spans += [(at + n, at + n + 1) for n in range(digits)]
                self._at, place = at + digits, place + digits
                continue
            skipped, made = self._differing(text, place)
            spans += [self._trimmed(at, at + skipped, passed)] * made
            self._at, place = at + skipped, place + made
        return spans

    def _pass(self, dropped: Collection[str]) -> None:
        start = self._at
        while self._at < len(self._source) and (
            key(self._source[self._at]) in dropped
            or (self._at > start and self._source[self._at] in _JOINED)
        ):
            self._at += 1

    def _digits(self, text: str, place: int) -> int:
        """How many digits are said one by one here: 2026 as 二零二六, but not 12 as 十二."""
        at, count = self._at, 0
        while at + count < len(self._source) and self._source[at + count].isdecimal():
            count += 1
        said = text[place : place + count]
        alike = all(map(_is_said_as, self._source[at : at + count], said))
        ends = text[place + count : place + count + 1] not in NUMERALS
        return count if count == len(said) and alike and ends else 0

    def _differing(self, text: str, place: int) -> tuple[int, int]:
        """Length of the source and of the text up to where they agree again."""
        return (
            self._meeting(text, place, _WINDOW, 1)
            or self._meeting(text, place, _FAR, 2)
            or (self._rest(), len(text) - place)
        )

    def _meeting(self, text: str, place: int, reach: int, sure: int) -> tuple[int, int] | None:
        """The nearest such place; `sure` is how many characters have to agree there."""
        ahead = "".join(map(key, self._source[self._at : self._at + reach]))
        best, least = None, 3 * reach
        for made in range(min(reach, len(text) - place)):
            if made >= least:
                break
            start = place + made
            for length, doubt in ((max(2, sure), 0), (sure, 4)):
                wanted = text[start : start + length]
                if len(wanted) < length or (length == 1 and wanted in NUMERALS):
                    continue
                skipped = ahead.find(wanted)
                if skipped >= 0 and skipped + made + doubt < least:
                    best, least = (skipped, made), skipped + made + doubt
        return best

    def _rest(self) -> int:
        """Length of the source up to its next end of a sentence."""
        ahead = self._source[self._at : self._at + _WINDOW]
        begun = False
        for length, character in enumerate(ahead):
            if character not in _ENDS:
                begun = True
            elif begun:
                return length
        return len(ahead)

    def _trimmed(self, start: int, end: int, dropped: Collection[str]) -> Span:
        """The span without blanks at its edges; what stands for nothing has the one before it."""
        source = self._source
        while start < end and source[start].isspace():
            start += 1
        while end > start and (
            source[end - 1].isspace()
            or source[end - 1] in _JOINED
            or (dropped and key(source[end - 1]) in dropped)
        ):
            end -= 1
        if start < end:
            return start, end
        return (start - 1, start) if start else (0, 1)


def _same(written: str, said: str) -> bool:
    return written == said or key(written) == said


def _is_said_as(digit: str, said: str) -> bool:
    return _DIGITS.get(digit) == said or (digit == "1" and said == "幺")


@cache
def _simplified() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


@lru_cache(1 << 14)
def key(character: str) -> str:
    """The one character that normalisation makes of it."""
    if character in _KEPT:
        return character
    if "\ud800" <= character <= "\udfff":
        return "\ufffd"
    plain = unicodedata.normalize("NFKC", character)
    simple: str = _simplified().convert(plain) if plain > "\x7f" else plain
    return simple if len(simple) == 1 else character
