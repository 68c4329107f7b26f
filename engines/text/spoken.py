"""Numbers as they are said: digit by digit, as a code with 幺 for 1, or counted."""

from __future__ import annotations

import re
from typing import Final

_DIGITS: Final = str.maketrans("0123456789", "零一二三四五六七八九")
_CODE: Final = str.maketrans("0123456789", "零幺二三四五六七八九")
_DIGIT_NAMES: Final = "零一二三四五六七八九"
_ROMAN: Final = {"I": 1, "V": 5, "X": 10}


def digits(number: str) -> str:
    """Digit by digit, as versions and years are said: 2026 -> 二零二六."""
    return number.translate(_DIGITS)


def code(number: str) -> str:
    """Digit by digit with 幺 for 1, as telephone and room numbers are said."""
    return number.translate(_CODE)


def cardinal(number: int) -> str:
    """A number below 10**12 as it is counted: 12345 -> 一万二千三百四十五."""
    if number == 0:
        return "零"
    spoken, gap = "", False
    for place in range(11, -1, -1):
        digit = number // 10**place % 10
        myriad = {8: "亿", 4: "万"}.get(place, "") if number // 10**place % 10**4 else ""
        if digit:
            spoken += ("零" if gap and spoken else "") + _DIGIT_NAMES[digit]
            spoken += ("", "十", "百", "千")[place % 4]
        gap = not digit and not myriad
        spoken += myriad
    spoken = re.sub("^二(?=[千万亿])", "两", spoken)
    return spoken.removeprefix("一") if spoken.startswith("一十") else spoken


def roman(numeral: str) -> int:
    """The value of a Roman numeral of I, V and X: XIV -> 14."""
    values = [_ROMAN[letter] for letter in numeral]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-value if value < following else value for value, following in pairs)
