"""Years, days, times and scores that the number grammars take for something else."""

from __future__ import annotations

import re
from typing import Final

from engines.text.rules import WHOLE, Rule, rule
from engines.text.spoken import cardinal, digits

_YEARLY = "年|学年|财年|年度|赛季|届|级"
_WON = "(?:大|险|完|惜|小|轻|逆转|获|战|击|取|领|落|告|打)?(?:胜|平|败|负|先|后)"


def _years(match: re.Match[str]) -> str:
    join = "至" if match[2] == "至" else "到"
    return digits(match[1]) + join + digits(match[3])


def _two(number: str) -> str:
    return "两" if number == "2" else number


def _from_to(match: re.Match[str]) -> str:
    """A range if the second number is the greater, else a score."""
    first, second = match[1], match[2]
    if first.startswith("0") and first != "0":
        return match[0]
    return f"{first}{'到' if int(first) < int(second) else '比'}{second}"


DATES: Final[tuple[Rule, ...]] = (
    rule(
        rf"(?<!\d)((?:19|20)\d\d)年?\s*([-~—至到]+)\s*((?:19|20)\d\d)(?={_YEARLY})",
        _years,
    ),
    rule(
        r"(?<=[（(])(1?\d{3}|20\d\d)年?\s*[-~—]+\s*(1?\d{3}|20\d\d)(?=年?[)）])",
        lambda m: f"{digits(m[1])}到{digits(m[2])}",
    ),
    rule(
        r"(?<!\d)(\d{3,4})[-~—](\d{3,4})(?=年(?!级))", lambda m: f"{digits(m[1])}到{digits(m[2])}"
    ),
    rule(r"公元(\d{1,4})(?=年)", lambda m: "公元" + digits(m[1])),
    rule(r"(?<!\d)((?:19|20)\d\d)(?=学年|财年|年度|赛季|届|级)", lambda m: digits(m[1])),
    rule(r"(公元前?)(\d{2,4})(?=年)", lambda m: m[1] + digits(m[2])),
    rule(r"(?<![\d.])3\.8(?=妇女节|节|女神节|女王节)", "三八"),
    rule(r"(?<![\d.])6\.1(?=儿童节)", "六一"),
    rule(r"(?<![\d.])5\.1(?=劳动节|黄金周|假期|长假|小长假)", "五一"),
    rule(r"(?<![\d.])10\.1(?=国庆|黄金周|假期|长假)", "十一"),
    rule(
        r"(?<!\d)(\d{1,2})月(\d{1,2})(?=[日号])",
        lambda m: f"{cardinal(int(m[1]))}月{cardinal(int(m[2]))}",
    ),
    rule(r"(?<![\d.])(\d)-(\d)(?=年(?!级|\d))", lambda m: _two(m[1]) + "到" + _two(m[2])),
    rule(r"(?<=[年月日号点时分])\s*[-—~]+\s*(?=\d)", "到"),
    rule(r"(?<![\d:])(\d{1,2}:\d\d):0(\d)(?![\d:])", r"\1零\2秒"),
    rule(rf"{WHOLE}(\d{{1,3}})\s*[:-]\s*(\d{{1,3}})(?=\s*{_WON})", r"\1比\2"),
    rule(r"(?<=\d秒)(\d\d)(?!\d)", lambda m: digits(m[1])),
    rule(
        r"(?<![A-Za-z0-9_.:/%℃+=-])(\d{1,4})-(\d{1,4})(?=[\u4e00-\u9fff])(?!等于|得|的差|分之)",
        _from_to,
    ),
    rule(r"(?<![\d.:第])2(?=点(?!\d+(?![\d分])))", "两"),
    rule(r"(?<![\d.:第])2(?=年(?!级|度|\d))", "两"),
    rule(
        r"第\s?(\d{1,4})(?![\d.,:/%~—-])",
        lambda m: "第" + cardinal(int(m[1])),
    ),
)
