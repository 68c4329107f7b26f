"""What <say-as> makes of its content: characters, or a writing the front end reads as meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final

from engines.text.characters import HAN
from engines.text.rewrite import cardinal, code, digits

_LONGEST: Final = 200  # characters
_INTEGER: Final = re.compile(r"([+-]?)(\d{1,12})")
_CURRENCIES: Final = {
    "¥": "元", "￥": "元", "元": "元", "块": "块", "CNY": "元", "RMB": "元", "人民币": "元",
    "$": "美元", "US$": "美元", "USD": "美元", "美元": "美元", "€": "欧元", "EUR": "欧元",
    "欧元": "欧元", "£": "英镑", "GBP": "英镑", "英镑": "英镑", "HK$": "港元", "HKD": "港元",
    "港元": "港元", "港币": "港元", "JPY": "日元", "日元": "日元", "NT$": "新台币", "TWD": "新台币",
    "MOP": "澳门元", "KRW": "韩元", "韩元": "韩元", "AUD": "澳元", "CAD": "加元", "CHF": "瑞士法郎",
}  # fmt: skip
_ALTERNATIVES: Final = "|".join(re.escape(c) for c in sorted(_CURRENCIES, key=len, reverse=True))
_AMOUNT: Final = r"(-?)(\d{1,3}(?:,\d{3}){1,3}|\d{1,12})(?:\.(\d{1,6}))?\s*([万亿]?)"
_SIGNS: Final = {
    ".": "点", "-": "杠", "_": "下划线", "/": "斜杠", "@": "艾特", "#": "井号", "*": "星号",
    "+": "加", "&": "和", ":": "冒号", "?": "问号", "=": "等于", "%": "百分号", "!": "叹号",
    "\\": "反斜杠", "~": "波浪号", "$": "美元符", ",": "逗号", "(": "左括号", ")": "右括号",
}  # fmt: skip
_ORDERS: Final = {
    "ymd": "年月日", "mdy": "月日年", "dmy": "日月年", "ym": "年月", "my": "月年",
    "md": "月日", "dm": "日月", "y": "年", "m": "月", "d": "日",
}  # fmt: skip
_DATE_LIMITS: Final = {"年": (0, 9999), "月": (1, 12), "日": (1, 31)}


def say_as(kind: str, text: str, style: str = "") -> str:
    """The content of <say-as interpret-as=kind format=style> as the front end should see it.

    Raises ValueError with the reason: an unknown kind, or content that is not of that kind.
    """
    known = _KINDS.get(kind)
    if known is None:
        raise ValueError(f"interpret-as is {kind!r}; write one of: {', '.join(_KINDS)}")
    if style and kind not in ("date", "time"):
        raise ValueError(f"{kind} has no format {style!r}; leave it out")
    content = " ".join(unicodedata.normalize("NFKC", text).split())
    if not content or len(content) > _LONGEST:
        raise ValueError(f"it holds {len(content)} characters; give it 1 to {_LONGEST}")
    return known(content, style)


def _cardinal(text: str, _: str = "") -> str:
    match = re.fullmatch(r"([+-]?)(\d{1,3}(?:,\d{3}){1,3}|\d{1,12})(?:\.(\d{1,12}))?", text)
    if not match:
        raise _unfit(text, "a number of up to 12 digits")
    number = cardinal(int(match[2].replace(",", "")))
    sign = {"-": "负", "+": "正"}.get(match[1], "")
    return sign + number + (f"点{digits(match[3])}" if match[3] else "")


def _ordinal(text: str, _: str) -> str:
    match = re.fullmatch(r"第?(\d{1,12})", text)
    if not match:
        raise _unfit(text, "a number, like 3")
    return "第" + re.sub("^两", "二", cardinal(int(match[1])))


def _digits(text: str, _: str) -> str:
    if not re.fullmatch(r"[\d ,.-]*\d[\d ,.-]*", text):
        raise _unfit(text, "digits")
    return digits(re.sub(r"[ ,-]+", "，", text.strip(" ,-.")).replace(".", "点"))


def _telephone(text: str, _: str) -> str:
    match = re.fullmatch(r"(\+?)([\d ()#*-]*\d[\d ()#*-]*)(?:(?:转|ext\.?|x)\s*(\d{1,8}))?", text)
    if not match:
        raise _unfit(text, "a telephone number")
    groups = re.findall(r"[\d#*]+", match[2])
    spoken = [code(g).replace("#", "井号").replace("*", "星号") for g in groups]
    number = ("加" if match[1] else "") + "，".join(spoken)
    return number + (f"，转{code(match[3])}" if match[3] else "")


def _date(text: str, style: str) -> str:
    fields = re.findall(r"\d+", text)
    if not re.fullmatch(r"\d{1,8}(?:[-/. 年月日]{1,2}\d{1,4}){0,2}[年月日号]?", text):
        raise _unfit(text, "a date, like 2026-11-22")
    if len(fields) == 1 and len(fields[0]) == 8:
        fields = [fields[0][:4], fields[0][4:6], fields[0][6:]]
    order = (
        style.lower() or {3: "ymd", 2: "md" if len(fields[0]) < 3 else "ym", 1: "y"}[len(fields)]
    )
    units = _ORDERS.get(order)
    if units is None:
        raise ValueError(f"format is {style!r}; write one of: {', '.join(_ORDERS)}")
    if len(units) != len(fields):
        raise _unfit(text, f"a date of {len(units)} numbers ({order})")
    values = dict(zip(units, fields, strict=True))
    for unit, value in values.items():
        low, high = _DATE_LIMITS[unit]
        if not low <= int(value) <= high:
            raise _unfit(text, f"a date ({value} is no {unit})")
    return "".join(_date_part(values[u], u) for u in "年月日" if u in values)


def _date_part(value: str, unit: str) -> str:
    number = digits(value) if unit == "年" else cardinal(int(value))
    return re.sub("^两", "二", number) + unit


def _time(text: str, style: str) -> str:
    if style not in ("", "hms12", "hms24", "hm12", "hm24"):
        raise ValueError(f"format is {style!r}; leave it out, or write hms12 or hms24")
    match = re.fullmatch(
        r"(\d{1,2})[:时点](\d{1,2})分?(?:[:]?(\d{1,2})秒?)?\s*([AaPp]\.?[Mm]\.?)?", text
    )
    if not match:
        raise _unfit(text, "a time, like 14:30")
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    if hour > 24 or minute > 59 or second > 59:
        raise _unfit(text, "a time of day")
    half = {"a": "上午", "p": "下午"}.get((match[4] or "").lower()[:1], "")
    spoken = half + ("两" if hour == 2 else cardinal(hour)) + "点"
    if minute or second:
        spoken += ("零" if minute < 10 else "") + (cardinal(minute) if minute else "") + "分"
        spoken += _two(second) + "秒" if second else ""
    else:
        spoken += "整" if match[2] == "00" else ""
    return spoken


def _two(number: int) -> str:
    return ("零" if number < 10 else "") + cardinal(number)


def _currency(text: str, _: str) -> str:
    before = re.fullmatch(rf"({_ALTERNATIVES})\s*{_AMOUNT}", text)
    after = re.fullmatch(rf"{_AMOUNT}\s*({_ALTERNATIVES})", text)
    if before:
        name, *parts = before.groups()
    elif after:
        *parts, name = after.groups()
    else:
        raise _unfit(text, "an amount of money, like ¥99.8 or 5 USD")
    sign, whole, fraction, unit = parts
    cents = (fraction or "").rstrip("0")
    number = cardinal(int(whole.replace(",", ""))) + (f"点{digits(cents)}" if cents else "")
    if number == "二" and not unit:
        number = "两"
    return f"{'负' if sign else ''}{number}{unit or ''}{_CURRENCIES[name]}"


def _characters(text: str, _: str) -> str:
    spoken: list[str] = []
    for character in text:
        if character.isdecimal():
            spoken.append(code(character))
        elif character in _SIGNS:
            spoken.append(_SIGNS[character])
        elif HAN.match(character) or (character.isascii() and character.isalpha()):
            spoken.append(character.upper())
        elif not character.isspace():
            raise ValueError(f"{character!r} in it has no name; leave it out")
    return " ".join(spoken) if all(map(str.isascii, spoken)) else _spaced(spoken)


def _spaced(spoken: list[str]) -> str:
    """Blanks only between Latin letters: elsewhere they would be taken for pauses."""
    text = spoken[0]
    for before, after in pairwise(spoken):
        text += " " * (before.isascii() and after.isascii()) + after
    return text


def _address(text: str, _: str) -> str:
    """Numbers of three digits and more as digits, others counted: 5号楼302室."""

    def number(match: re.Match[str]) -> str:
        if len(match[0]) > 2 or match[0].startswith("0"):
            return code(match[0])
        return re.sub("^两", "二", cardinal(int(match[0])))

    spoken = re.sub(r"(?<=\d)\s*[-—]\s*(?=\d)", "杠", text.replace("#", "号"))
    return re.sub(r"\d+", number, spoken)


def _unfit(text: str, wanted: str) -> ValueError:
    return ValueError(f"{text[:40]!r} is not {wanted}")


_KINDS: Final[Mapping[str, Callable[[str, str], str]]] = {
    "cardinal": _cardinal,
    "ordinal": _ordinal,
    "digits": _digits,
    "telephone": _telephone,
    "date": _date,
    "time": _time,
    "currency": _currency,
    "characters": _characters,
    "address": _address,
    "number": _cardinal,
    "spell-out": _characters,
}
