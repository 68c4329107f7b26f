"""Characters made plain: one form for each letter, digit, sign and pause; nothing read out yet."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af〇"
HAN: Final = re.compile(f"[{_HAN}]")
HAN_RUN: Final = re.compile(f"[{_HAN}]+")

# Chinese punctuation that NFKC would make ASCII; its place in a sentence tells what it means.
_KEPT = re.compile(r"([，。！？；：（）])")


def table(pairs: str) -> dict[str, str]:
    """A table written as words: the first character stands for the rest."""
    return {pair[0]: pair[1:] for pair in pairs.split()}


_SIGNS: Final = str.maketrans(
    table(
        "²平方 ³立方 ⁺正 ⁻负 №No. ￥¥ −- ‐- ‑- –— ―— ─— 〜~ ～~ ﹏~ ⁄/ ∕/ ╱/ 〖【 〗】 "
        "‘' ’' ＇' `' ´' ＂\" ｡。 ､、 •、 ●、 ■、 ◆、 ▪、 ▶、 ・·"
    )
)
_AREA: Final = re.compile(r"([kcdm]?)m([²³])(?![A-Za-z])|[㎡㎥]")
_POWER: Final = re.compile(r"(?<=\d)(?=[²³])")
_HIGHER: Final = re.compile(r"(?<=\d)([⁰¹⁴-⁹]+)")
_MICRO: Final = re.compile(r"(?<=\d)\s*[μµ](?=(?:g|m|L|l|s|mol)(?![A-Za-z]))")
_METRES: Final = {"": "米", "k": "千米", "c": "厘米", "d": "分米", "m": "毫米"}
_GREEK: Final = table(
    "α阿尔法 β贝塔 γ伽马 δ德尔塔 Δ德尔塔 θ西塔 λ拉姆达 μ缪 π派 σ西格玛 Σ西格玛 φ斐 ω欧米伽 Ω欧姆 "
    "ε艾普西隆 ρ柔 τ陶 η伊塔"
)
_MARKS: Final = re.compile("[\u0300-\u036f\u20e3\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")


def plain(text: str) -> str:
    """The text in NFKC with Chinese punctuation kept, digits ASCII, Latin letters without accents.

    Invisible format characters and controls go; a line break stays as "\\n".
    """
    text = re.sub(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]", "\n", text)
    text = _AREA.sub(_area, "".join(map(_enclosed, text)))
    text = _HIGHER.sub(r"的\1次方", text)
    text = re.sub(r"(?<=\d)(?=[¼-¾⅐-⅞])", "又", text)
    text = _MICRO.sub("u", _POWER.sub("的", text)).translate(_SIGNS)
    parts = _KEPT.split(text)
    parts[::2] = [unicodedata.normalize("NFKC", part) for part in parts[::2]]
    text = "".join(map(_plain_character, "".join(parts)))
    text = text.replace("°C", "℃").replace("°F", "℉").replace("⁄", "/")
    text = re.sub(r"\.{3,}|。{2,}|…+", "…", text)
    return re.sub(r"(?<=\d)[：](?=\d)", ":", text)


def _area(match: re.Match[str]) -> str:
    power = "立方" if match[0][-1] in "³㎥" else "平方"
    return power + _METRES[match[1] or ""]


def _enclosed(character: str) -> str:
    """Circled and Roman numerals: ① -> "，1、", Ⅳ -> "4"."""
    decomposition = unicodedata.decomposition(character)
    if decomposition.startswith("<circle>") and unicodedata.category(character) == "No":
        return f"，{unicodedata.numeric(character):.0f}、"
    if "Ⅰ" <= character <= "ⅿ":
        return f"{unicodedata.numeric(character):.0f}"
    return character


def _plain_character(character: str) -> str:
    if character < "\x7f":
        return character if character >= " " or character == "\n" else " "
    if character in _GREEK:
        return _GREEK[character]
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Cs":
        return "\ufffd"
    if category in ("Cf", "Cc") or _MARKS.match(character):
        return ""
    if category.startswith("Z"):
        return " "
    if category.startswith("L") and not HAN.match(character):
        base = unicodedata.normalize("NFD", character)[0]
        return base if base.isascii() else character
    return character
