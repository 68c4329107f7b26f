"""Numbers in a run of English, as words: 3.5 -> three point five, 1st -> first, $5 -> five dollars.

A number of four digits is a year after a month, "in", "since" and the like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from engines.text.script import Script, Writer
from engines.text.spans import Span

_SMALL: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS: Final = (
    "-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
)  # fmt: skip
_SCALES: Final = ((10**9, "billion"), (10**6, "million"), (10**3, "thousand"), (100, "hundred"))
_ORDINALS: Final = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
_UNITS: Final = {
    "kg": "kilograms", "km": "kilometers", "cm": "centimeters", "mm": "millimeters",
    "GB": "gigabytes", "MB": "megabytes", "TB": "terabytes", "GHz": "gigahertz",
    "MHz": "megahertz", "Hz": "hertz", "ms": "milliseconds", "fps": "frames per second",
    "%": "percent", "°C": "degrees Celsius", "℃": "degrees Celsius", "m": "meters",
}  # fmt: skip
_MONEY: Final = {"$": "dollars", "€": "euros", "£": "pounds", "¥": "yuan"}
_MONTHS: Final = (
    "January|February|March|April|May|June|July|August|September|October|November|December"
)
_CONTEXT: Final = re.compile(
    rf"(?:\b(?:in|since|until|by|year|{_MONTHS})\s+(?:\d{{1,2}},\s*)?)$", re.I
)
_READ_OUT: Final = 7  # digits: a number as long as that, without commas, is a code
_RUN: Final = re.compile(r"[^\u3000-\u9fff\uf900-\uffef\n]+")
_SMALL_WORD: Final = re.compile(r"(?<!\S)[a-z][a-z']+(?=[\s,.!?;:]|$)")
_HAS_DIGIT: Final = re.compile(r"\d")
_HAS_WORDS: Final = re.compile(r"[a-z]{2} +[a-z]|[a-z]{2} +\S+ +[a-z]")
_NUMBER: Final = re.compile(
    r"(?<![A-Za-z\d./@_])(?<!\d-)(?P<money>[$€£¥]?)(?:(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?![\d:])"
    r"|(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?P<fraction>(?:\.\d+)*)"
    r"(?:(?P<ordinal>st|nd|rd|th)\b|\s?(?P<unit>"
    + "|".join(sorted(_UNITS, key=len, reverse=True))
    + r")(?![A-Za-z]))?)(?![\d/@_]|-\d)"
)


def english_runs(script: Script) -> Script:
    """The script with the numbers in whole English phrases as words.

    A phrase has three words in small letters at least; "iPhone 15 Pro" in a Chinese sentence is
    none, and its number is said in Mandarin, as a Mandarin speaker would.
    """
    text, place = script.text, 0
    if not (_HAS_DIGIT.search(text) and _HAS_WORDS.search(text)):
        return script
    writer = Writer()
    for run in _RUN.finditer(text):
        if not _HAS_DIGIT.search(run[0]) or len(_SMALL_WORD.findall(run[0])) < 3:
            continue
        writer.take(script, place, run.start())
        for piece, (start, end) in in_english(run[0]):
            first, place = run.start() + start, run.start() + end
            if end - start == len(piece):
                writer.take(script, first, place)
            else:
                writer.say(piece, script.span(first, place))
    writer.take(script, place, len(text))
    return replace(writer.script(), notes=script.notes, unread=script.unread)


def in_english(text: str) -> Iterator[tuple[str, Span]]:
    """The text in pieces with their spans in it: numbers as words, and what stands between."""
    start = 0
    for match in _NUMBER.finditer(text):
        if match.start() > start:
            yield text[start : match.start()], (start, match.start())
        yield f" {_spoken(match)} ", match.span()
        start = match.end()
    if start < len(text):
        yield text[start:], (start, len(text))


def words(number: int) -> str:
    """A number below 10**12 in English words: 342 -> three hundred forty two."""
    if number < 20:
        return _SMALL[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f" {_SMALL[ones]}" if ones else "")
    for size, name in _SCALES:
        if number >= size:
            count, rest = divmod(number, size)
            return f"{words(count)} {name}" + (f" {words(rest)}" if rest else "")
    raise AssertionError("every number from 100 on has a scale")


def year(number: int) -> str:
    """A year: 2026 -> twenty twenty six, 1905 -> nineteen oh five, 2000 -> two thousand."""
    century, rest = divmod(number, 100)
    if not 10 <= century <= 99 or number % 1000 < 10:
        return words(number)
    if rest == 0:
        return f"{words(century)} hundred"
    return f"{words(century)} {'oh ' if rest < 10 else ''}{words(rest)}"


def _spoken(match: re.Match[str]) -> str:
    if match["hour"] is not None:
        hour, minute = int(match["hour"]), int(match["minute"])
        return f"{words(hour)} " + (
            "o'clock" if not minute else f"{'oh ' if minute < 10 else ''}{words(minute)}"
        )
    whole, fraction = match["whole"].replace(",", ""), match["fraction"]
    plain = not fraction and not match["unit"] and not match["money"]
    if (
        (len(whole) >= _READ_OUT and "," not in match["whole"])
        or len(whole) > 12
        or (len(whole) > 1 and whole.startswith("0"))
    ):
        spoken = _digits(whole)
    elif plain and len(whole) == 4 and _CONTEXT.search(match.string[: match.start()]):
        spoken = year(int(whole))
    else:
        spoken = words(int(whole))
    if match["ordinal"]:
        return _ordinal(spoken)
    for digits in fraction.split(".")[1:]:
        spoken += f" point {_digits(digits)}"
    one = whole == "1" and not fraction
    unit = _UNITS.get(match["unit"] or "", "") or _MONEY.get(match["money"], "")
    if one and unit not in ("yuan", "percent", "hertz", "gigahertz", "megahertz"):
        unit = re.sub("^(degree|frame)s|s$", r"\1", unit)
    return f"{spoken} {unit}".rstrip()


def _digits(number: str) -> str:
    return " ".join(_SMALL[int(digit)] for digit in number)


def _ordinal(spoken: str) -> str:
    *first, last = spoken.split()
    ordinal = _ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return " ".join((*first, ordinal))
