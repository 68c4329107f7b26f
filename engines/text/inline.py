"""Pinyin written into plain text after the characters it is for: 行{hang2}, 银行{yin2 hang2}."""

from __future__ import annotations

import re
from typing import Final

from engines.errors import TextError
from engines.text.characters import HAN
from engines.text.pinyin_table import first_reading
from engines.text.pronunciation import syllables
from engines.text.script import Script, Writer
from engines.text.sentence import Unread
from engines.text.symbols import has_syllable

_LONGEST: Final = 16  # syllables
_MARKED = "āáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜ"
_SYLLABLE = (
    r"(?:[A-Za-zü][a-zü:]{0,6}[1-5]"
    rf"|(?=[A-Za-zü]{{0,5}}[{_MARKED}])[A-Za-zü{_MARKED}][a-zü{_MARKED}]{{0,6}})"
)
_BRACES: Final = re.compile(rf"\{{\s*({_SYLLABLE}(?:[\s']+{_SYLLABLE})*)\s*\}}")


def inline(text: str) -> Script:
    """The text without its pinyin, which becomes the reading of as many characters before it.

    Braces that hold anything else stay. Pinyin that no voice can say, or that stands after too few
    Chinese characters, is left out, and noted.
    """
    if "{" not in text:
        return Script(text)
    writer, start = Writer(), 0
    for match in _BRACES.finditer(text):
        start = _read(writer, text, start, match)
    writer.copy(text[start:], start)
    return writer.script()


def _read(writer: Writer, text: str, start: int, match: re.Match[str]) -> int:
    """Write the text up to the end of the braces."""
    end = match.start()
    count = len(match[1].replace("'", " ").split())
    readable = text[max(start, end - count) : end]
    if count > _LONGEST or len(readable) < count or not all(map(HAN.match, readable)):
        writer.copy(text[start:end], start)
        _leave_out(
            writer,
            match,
            f"it does not stand after {count} Chinese character{'s' * (count > 1)}",
        )
        return match.end()
    try:
        spoken = syllables(match[1])
    except TextError as error:
        writer.copy(text[start:end], start)
        _leave_out(writer, match, str(error))
        return match.end()
    first = end - count
    writer.copy(text[start:first], start)
    for place, syllable in zip(range(first, end), spoken, strict=True):
        character, span = text[place], (place, place + 1)
        if _has_reading(character):
            writer.read(character, [span], [syllable])
        else:
            writer.unit(character, span, [syllable])
    return match.end()


def _leave_out(writer: Writer, match: re.Match[str], why: str) -> None:
    unread = Unread("pinyin_refused", match[0], *match.span())
    writer.leave_out(unread, f"{match[0]} at character {match.start() + 1} is left out: {why}")


def _has_reading(character: str) -> bool:
    """Whether the front end could read it by itself."""
    first = first_reading(character)
    return bool(first) and has_syllable(first[:-1])
