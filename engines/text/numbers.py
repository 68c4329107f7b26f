"""Numbers in Chinese characters: which they are, and the groups they are said in."""

from __future__ import annotations

from math import ceil
from typing import Final

NUMERALS: Final = frozenset("零〇一二三四五六七八九十百千万亿两幺点")
LONGEST_NUMBER: Final = 5  # characters of a number said as one prosodic word
_GROUP = 4
_CARDINAL: Final = frozenset("十百千万亿")
_THOUSANDS: Final = ("克", "米", "瓦", "卡", "帕", "伏", "赫", "字")
_MINUTES: Final = ("分", "半", "整", "刻")


def is_number(text: str) -> bool:
    """Whether every character can be part of a number."""
    return bool(text) and NUMERALS.issuperset(text)


def number_parts(word: str) -> list[str]:
    """A number and its unit: 一千二百, 三十四个; 幺三八, 幺二三四, 五六七八; 十四点, 三十分."""
    length = next((n for n, c in enumerate(word) if c not in NUMERALS), len(word))
    number, unit = word[:length], word[length:]
    if unit.startswith(_MINUTES) and number.count("点") == 1:
        hour, _, minutes = number.partition("点")
        return [hour + "点", minutes + unit]
    if number.endswith("千") and "点" in number and unit[:1] in _THOUSANDS:
        number, unit = number[:-1], "千" + unit
    whole, *fractions = number.split("点")
    if fractions and len(number) + len(unit) <= LONGEST_NUMBER:
        result = [number]
    else:
        result = _packed(whole) if _CARDINAL & set(whole) else _even(whole)
        for index, fraction in enumerate(fractions):
            first, *rest = _even(fraction) or [""]
            if index == 0 and len(whole) == 1:
                result = [f"{whole}点{first}", *rest]
            else:
                result += ["点" + first, *rest]
    if result and len(result[-1]) + len(unit) <= LONGEST_NUMBER:
        result[-1] += unit
    else:
        result.append(unit)
    return [part for part in result if part]


def _packed(number: str) -> list[str]:
    """A cardinal cut after its units, as many units together as a prosodic word holds."""
    atoms = [""]
    for character in number:
        atoms[-1] += character
        if character in "百千万亿":
            atoms.append("")
    result = [""]
    for atom in atoms:
        if len(result[-1]) + len(atom) > _GROUP:
            result.append("")
        result[-1] += atom
    return [part for part in result if part]


def _even(number: str) -> list[str]:
    """Digits in groups of at most four, the shorter groups first."""
    if not number:
        return []
    count = ceil(len(number) / _GROUP)
    size, longer = divmod(len(number), count)
    result, start = [], 0
    for index in range(count):
        end = start + size + (index >= count - longer)
        result.append(number[start:end])
        start = end
    return result
