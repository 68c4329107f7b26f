"""Signs of mathematics, coordinates and Roman numerals."""

from __future__ import annotations

from typing import Final

from engines.text.rules import LATIN, Rule, rule
from engines.text.spoken import cardinal, roman

_ROMAN = "X{0,3}(?:IX|IV|V?I{1,3})|X{0,3}V|X{2,3}"
_AFTER_ROMAN = "章|节|卷|期|级|类|型|世|部|届|册|度|象限|阶段|标段"

FORMULAS: Final[tuple[Rule, ...]] = (
    rule(rf"第({_ROMAN}|X)(?=[\u4e00-\u9fff])", lambda m: "第" + cardinal(roman(m[1]))),
    rule(
        rf"{LATIN}({_ROMAN})(?=(?:{_AFTER_ROMAN})(?![A-Za-z]))",
        lambda m: cardinal(roman(m[1])),
    ),
    rule(r"(?<=\d)(?:′′|″|'')", "秒"),
    rule(r"(?<=\d)′", "分"),
    rule(r"(?<=\d)°(\d+)'(?:(\d+)\")?", lambda m: f"°{m[1]}分" + (f"{m[2]}秒" if m[2] else "")),
    rule(r"(\d+|(?<![A-Za-z])[A-Za-z])\^(\d+)", r"\1的\2次方"),
    rule(r"(?<=\d)\s*[xX*×]\s*(?=\d)", "乘"),
    rule(r"(?<=\d)\s*÷\s*(?=\d)", "除以"),
    rule(r"\bNo\.?\s*(?=\d)", "第"),
    rule(r"√(?=\s*\d)", "根号"),
    rule(r"(\d+(?:\.\d+)?)\s*‱", r"万分之\1"),
    rule(r"△(?=[A-Z]{3})", "三角形"),
)
