"""Years, days, times and scores that the number grammars take for something else."""

from __future__ import annotations

import re
from typing import Final

from engines.text.rules import NUMBER, WHOLE, Rule, rule
from engines.text.spoken import cardinal, digits

_YEARLY = "年|学年|财年|年度|赛季|届|级"
_WON = "(?:大|险|完|惜|小|轻|逆转|获|战|击|取|领|落|告|打)?(?:胜|平|败|负|先|后)"

_HALVES: Final = {"a": "上午", "p": "下午"}


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


def _page(match: re.Match[str]) -> str:
    """第3/5页 -> 第三页，共五页."""
    number, of, what = cardinal(int(match[1])), cardinal(int(match[2])), match[3]
    return f"第{number}{what}，共{'两' if of == '二' else of}{what}"


def _left(match: re.Match[str]) -> str:
    """Time that runs down: 00:30 -> 30秒."""
    minutes = "" if int(match[2]) == 0 else f"{int(match[2])}分"
    return f"{match[1]}{minutes}{int(match[3])}秒"


def _past_midnight(match: re.Match[str]) -> str:
    """0:30 -> 零点三十分, 0:05 -> 零点零五分, 0:00 -> 零点."""
    minutes = match[1]
    if minutes == "00":
        return "零点"
    return f"零点{digits(minutes) if minutes[0] == '0' else cardinal(int(minutes))}分"


DATES: Final[tuple[Rule, ...]] = (
    rule(r"第(\d{1,4})/(\d{1,4})(页|张|题|步|章|集|关|轮|节|课)", _page),
    rule(
        r"(步骤|页码)[:：]?(\d{1,3})/(\d{1,3})(?!\d)",
        lambda m: f"{m[1]}{cardinal(int(m[2]))}，共{cardinal(int(m[3]))}",
    ),
    rule(rf"(评分[:：]?|得分[:：]?)({NUMBER})/({NUMBER})", r"\1\2，满分\3"),
    rule(r"(?<!\d)(\d\d)年(?=\d{1,2}月)", lambda m: digits(m[1]) + "年"),
    rule(
        r"(?<!\d)(20[0-4]\d)(?=新款|新品|春季|夏季|秋季|冬季|春夏|秋冬|款|版|新春|跨年|高考|考研|世界杯|奥运|新年|亚运)",
        lambda m: digits(m[1]),
    ),
    rule(r"(?<![\d.])11\.11(?=购物|大促|狂欢|活动|促销|盛典)", "双十一"),
    rule(r"(?<![\d.])12\.12(?=购物|大促|狂欢|活动|促销|盛典)", "双十二"),
    rule(r"(?<=[周期拜][一二三四五六日天])\s*[-~—]+\s*(?=周|星期|礼拜)", "到"),
    rule(r"(倒计时|剩余时间|还剩)[:：]?(\d{1,2}):(\d\d)(?![:\d])", _left),
    rule(r"(?<![\d:])0?(\d{1,2}):00:00(?![:\d])", r"\1点整"),
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
    rule(r"(?<!\d)2(?=世纪)", "二"),
    rule(r"公元(\d{1,4})(?=年)", lambda m: "公元" + digits(m[1])),
    rule(r"(?<!\d)((?:19|20)\d\d)(?=学年|财年|年度|赛季|届|级)", lambda m: digits(m[1])),
    rule(r"(?<=[（(])((?:19|20)\d\d)(?=[)）])", lambda m: digits(m[1])),
    rule(r"(?<=[)）])\s*[-—~]+\s*(?=\d{1,4}[年月日号点时])", "到"),
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
    rule(r"(?<=年)\s*[-—~]+\s*(?=公元)", "到"),
    rule(r"(约|近|超|超过|达|有|已)(\d{1,2}00)(?=[多余]?年)", lambda m: m[1] + cardinal(int(m[2]))),
    rule(r"(?<![\d°分])(\d{1,2})['′](\d\d)(?:\"|''|′′)", r"\1分\2秒"),
    rule(r"([用历耗]时|时长|成绩)(\d{1,3}):(\d\d)(?![:\d])", r"\1\2分\3秒"),
    rule(r"([比总]分(?:为|是)?)(\d{1,3})-(\d{1,3})(?!\d)", r"\1\2比\3"),
    rule(
        rf"(?<![\d:])0:([0-5]\d)(?![\d:]|\s*{_WON})",
        _past_midnight,
    ),
    rule(
        r"([上下中]午|早上|晚上|)(?<![\d:])(1[0-2]|0?\d)(:[0-5]\d)?\s*([aApP])\.?[mM]\.?(?![A-Za-z])",
        lambda m: (m[1] or _HALVES[m[4].lower()]) + m[2] + (m[3] or "点"),
    ),
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
