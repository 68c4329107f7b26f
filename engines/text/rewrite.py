"""What the number grammars misread, rewritten before they see it: codes, versions, links, units."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from engines.text.characters import table

_DIGITS: Final = str.maketrans("0123456789", "零一二三四五六七八九")
_CODE: Final = str.maketrans("0123456789", "零幺二三四五六七八九")

_DIGIT_NAMES: Final = "零一二三四五六七八九"

Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


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


def rewrite(text: str) -> str:
    """The text with every rule applied once, in order."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


_LINK_SIGNS: Final = table(
    ".点 /斜杠 -杠 _下划线 @艾特 :冒号 ?问号 =等于 &和 %百分号 #井号 +加 ~波浪号"
)


def _link(match: re.Match[str]) -> str:
    address = re.sub(r"^[a-zA-Z]+://", "", match[0]).rstrip("/")
    tail = re.search(r"[.,:?~]*$", address)
    ending = tail[0] if tail else ""
    address = address.removesuffix(ending)
    spoken = "".join(_LINK_SIGNS.get(sign, sign) for sign in address)
    return f" {digits(spoken)} {ending}"


def _telephone(match: re.Match[str]) -> str:
    country = "加八六，" if match[1] else ""
    return country + code(re.sub(r"\D", "", match[2]))


_CURRENCY: Final = table("¥元 $美元 €欧元 £英镑")
_HERTZ: Final = {"": "赫兹", "k": "千赫兹", "K": "千赫兹", "M": "兆赫兹", "G": "吉赫兹"}
_UNITS: Final = {
    unit: spoken
    for unit, _, spoken in (
        pair.partition("=")
        for pair in (
            *("mAh=毫安时", "mA=毫安", "Ah=安时", "kWh=千瓦时", "kW=千瓦", "W=瓦"),
            *("mV=毫伏", "kV=千伏", "V=伏", "dB=分贝", "rpm=转每分"),
            *("mL=毫升", "L=升", "KG=千克", "Kg=千克", "KM=千米", "CM=厘米", "MM=毫米"),
            *("Mbps=兆比特每秒", "mbps=兆比特每秒"),
        )
    )
}
_NUMBERED: Final = (
    "验证码|校验码|取件码|取餐码|邀请码|识别码|密码|口令|单号|编号|学号|工号|卡号|账号|帐号|尾号|"
    "车牌号?|证号|身份证号?码?|邮编|区号|号码|航班号?|代码|序列号|房号|电话|热线|手机号?"
)
_LATIN = r"(?<![A-Za-z])"

_RULES: Final[tuple[Rule, ...]] = (
    (re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"), _link),
    (re.compile(r"(?:https?|ftp)://[!-~]+|www\.[!-~]+", re.I), _link),
    (
        re.compile(
            r"(?<![A-Za-z0-9.-])(?:[A-Za-z0-9-]+\.)+(?:com|cn|org|net|edu|gov)(?![A-Za-z])"
            r"(?:/[!-~]*)?"
        ),
        _link,
    ),
    (re.compile(r"^[ \t]*#{1,6}[ \t]+|\*\*|__|^[ \t]*[-*+][ \t]+", re.M), ""),
    (re.compile(r"^[ \t]*(\d{1,2})[.)、][ \t]*(?=\D)", re.M), r"\1、"),
    (re.compile(r"Wi-Fi", re.I), "WiFi"),
    (re.compile(_LATIN + r"C\+\+"), "C加加"),
    (re.compile(_LATIN + r"C#"), "C井"),
    (
        re.compile(r"(?<![\d.,¥$€£])\d{1,3}(?:,\d{3}){1,3}(?![\d.,%℃])"),
        lambda m: cardinal(int(m[0].replace(",", ""))),
    ),
    (re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d)"), lambda m: m[0].replace(",", "")),
    (re.compile(r"(\d+(?:\.\d+)?)‰"), r"千分之\1"),
    (re.compile(r"(?<!\d)(0\d{2,3})-(\d{7,8})(?!\d)"), lambda m: code(m[1] + m[2])),
    (re.compile(r"(?:(\+ ?86[- ]?)|(?<!\d))(1\d{2}[- ]?\d{4}[- ]?\d{4})(?!\d)"), _telephone),
    (
        re.compile(rf"({_NUMBERED})((?:码|是|为|:|：|\s)*)([A-Za-z]*)(\d{{3,}})(?![\d.:/年月-])"),
        lambda m: f"{m[1]}{m[2]}{m[3]}{code(m[4])}",
    ),
    (re.compile(r"(?<![\d.,])(\d{13,})(?![\d.,])"), lambda m: code(m[1])),
    (re.compile(r"(?<![\d.:/,-])(0\d+)(?![\d.:/,-])"), lambda m: digits(m[1])),
    (
        re.compile(r"(?<![\d.])(?!(?:19|20)\d\d\.)(\d{1,3}\.\d+\.\d+)(?![\d.])"),
        lambda m: digits(m[1].replace(".", "点")),
    ),
    (re.compile(_LATIN + r"([vV])(?:er\.?)?(?=\d+\.\d)"), r"\1 "),
    (re.compile(r"(?<=[A-Za-z])-(?=\d)|(?<=\d)-(?=[A-Za-z])"), " "),
    (
        re.compile(_LATIN + r"([GDCZTKYSL])(\d{1,4})(?=次|号?列车|号?动车|号?高铁)"),
        lambda m: m[1] + code(m[2]),
    ),
    (re.compile(_LATIN + r"([A-Z]{2})(\d{3,4})(?!\d)"), lambda m: m[1] + code(m[2])),
    (
        re.compile(r"(?<![\d.])(\d{3,4})(?=\s*(?:号?房|室|号?包厢|号?教室|号?病房|号?会议室))"),
        lambda m: code(m[1]),
    ),
    (re.compile(r"(\d+)/(\d+)\s*mmHg", re.I), r"\1毫米汞柱、\2毫米汞柱"),
    (re.compile(r"(?<=\d)\s*mmHg", re.I), "毫米汞柱"),
    (re.compile(r"(?<=[\d%℃])\s*[—~]+\s*(?=\d)"), "~"),
    (re.compile(r"(?<=\d)\s*[xX*×]\s*(?=\d)"), "×"),
    (
        re.compile(r"([¥$€£])\s*(\d[\d,]*(?:\.\d+)?)\s*([百千万亿]+)"),
        lambda m: f"{m[2]}{m[3]}{_CURRENCY[m[1]]}",
    ),
    (re.compile(r"\bNo\.?\s*(?=\d)"), "第"),
    (re.compile(r"(?<=\d)\s*([kKMG]?)Hz"), lambda m: _HERTZ[m[1]]),
    (
        re.compile(rf"(?<=\d)\s*({'|'.join(_UNITS)})(?![A-Za-z])"),
        lambda m: _UNITS[m[1]],
    ),
    (re.compile(r"√(?=\s*\d)"), "根号"),
)
