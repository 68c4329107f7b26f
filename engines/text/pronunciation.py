"""Pronunciations as people write them, as syllables: pinyin, ARPAbet, KAN-TTS symbols."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Final

from engines.errors import TextError
from engines.text.symbols import phones_by_syllable, syllable_phones

_ARPABET: Final = re.compile(r"[A-Z]{1,2}[0-2]?(?:\s+[A-Z]{1,2}[0-2]?)*")
_VOWELS: Final = frozenset(("aa", "ae", "ah", "ao", "aw", "ay", "eh", "er", "ey", "ih", "iy"))
_BACK_VOWELS: Final = frozenset(("ow", "oy", "uh", "uw"))
_MARKS: Final = {"\u0304": "1", "\u0301": "2", "\u030c": "3", "\u0300": "4"}
_CURE: Final = 'write pinyin with tones from 1 to 5, like "hang2", or ARPAbet, like "W AY1 . F AY0"'


def syllables(written: str) -> tuple[str, ...]:
    """Pinyin with tone digits or marks, blanks (or ') between, or ARPAbet with " . " between.

    Raises TextError(text_unreadable) for anything else, and for syllables no voice has phones for.
    """
    parts = [part.strip() for part in written.split(".")]
    if all(map(_ARPABET.fullmatch, parts)):
        result = tuple(" ".join(part.split()) for part in parts)
    else:
        result = tuple(map(_numbered, re.findall(r"[^\s']+", written.lower())))
    if not result:
        raise TextError("text_unreadable", f"there is no syllable in {written!r}; {_CURE}")
    for syllable in result:
        _check(syllable, written)
    return result


def _numbered(syllable: str) -> str:
    """A tone mark as a digit at the end: háng -> hang2, lǜ -> lü4."""
    letters = unicodedata.normalize("NFD", syllable)
    marks = [letter for letter in letters if letter in _MARKS]
    if len(marks) != 1:
        return syllable
    return unicodedata.normalize("NFC", letters.replace(marks[0], "")) + _MARKS[marks[0]]


def from_symbols(written: str) -> tuple[str, ...]:
    """Syllables of KAN-TTS symbols: "{h_c$tone2$s_begin$...} {ang_c$tone2$s_end$...}" -> hang2.

    Emotion and speaker need not be given and are not taken over; breaks (#1 to #4) are passed by.
    Raises TextError(text_unreadable) for what is not that.
    """
    result: list[str] = []
    held: list[tuple[str, str]] = []
    for symbol in written.split():
        fields = symbol.removeprefix("{").removesuffix("}").split("$")
        if fields[0].startswith("#"):
            continue
        if len(fields) < 3 or fields[2] not in ("s_begin", "s_middle", "s_end", "s_both"):
            raise _bad_symbols(written)
        held.append((fields[0], fields[1]))
        if fields[2] in ("s_end", "s_both"):
            result.append(from_phones(held))
            held = []
    if held or not result:
        raise _bad_symbols(written)
    return tuple(result)


def from_phones(phones: Sequence[tuple[str, str]]) -> str:
    """The syllable of KAN-TTS phones, each with its tone: (h_c, tone2), (ang_c, tone2) -> hang2.

    Raises TextError(text_unreadable) where there is no such syllable.
    """
    names = tuple(phone for phone, _ in phones)
    tone = phones[0][1].removeprefix("tone")
    base = _by_phones().get(names)
    if base is not None and re.fullmatch("[1-6]", tone):
        return base + ("2" if tone == "6" else tone)
    stress = "1" if tone == "1" else "0"
    english = " ".join(n.upper() + (stress if n in _VOWELS | _BACK_VOWELS else "") for n in names)
    if base is not None or not _is_english(names):
        shown = " ".join(f"{phone}${tone}" for phone, tone in phones)[:80]
        raise TextError("text_unreadable", f"{shown!r} is no syllable; {_CURE}")
    return english


def _is_english(names: tuple[str, ...]) -> bool:
    return all(name in _english() for name in names)


@cache
def _by_phones() -> dict[tuple[str, ...], str]:
    result: dict[tuple[str, ...], str] = {}
    for base, phones in phones_by_syllable().items():
        result.setdefault(phones, base)
    return result


def _check(syllable: str, written: str) -> None:
    try:
        syllable_phones(syllable)
    except TextError as error:
        raise TextError(
            "text_unreadable", f"{syllable!r} in {written!r} is not a syllable; {_CURE}"
        ) from error
    if syllable[0].isupper():
        unknown = [p for p in syllable.split() if p.rstrip("012").lower() not in _english()]
        if unknown:
            raise TextError(
                "text_unreadable", f"{unknown[0]!r} in {written!r} is no ARPAbet phone; {_CURE}"
            )


@cache
def _english() -> frozenset[str]:
    consonants = "b ch d dh f g hh jh k l m n ng p r s sh t th v w y z zh"
    return _VOWELS | _BACK_VOWELS | frozenset(consonants.split())


def _bad_symbols(written: str) -> TextError:
    shown = written if len(written) <= 80 else written[:80] + "…"
    return TextError(
        "text_unreadable",
        f"{shown!r} is not a row of KAN-TTS symbols; write each as {{phone$tone$syllable flag}}, "
        "like {h_c$tone2$s_begin} {ang_c$tone2$s_end}",
    )
