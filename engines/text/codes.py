"""Numbers said digit by digit: telephones, codes, plates, rooms, buses, trains, models."""

from __future__ import annotations

import re
from typing import Final

from engines.text.rules import LATIN, NUMBER, WHOLE, Rule, rule
from engines.text.spoken import cardinal, code, digits

_NUMBERED: Final = (
    "验证码|校验码|取餐号|排队号|邀请码|识别码|密码|口令|单号|编号|学号|工号|卡号|账号|帐号|尾号|"
    "车牌号?|证号|身份证号?码?|邮编|区号|号码|航班号?|代码|序列号|房间?号|分机号?|护照号?|错误码|"
    "准考证号?|合同号|批号|货号|端口号?|床号|手机号|ISBN|错误|QQ群?号?|微信号?|会员号|群号|内线电话|内线|"
    "状态码|(?<![A-Za-z])(?:ID|HTTP)"
)
_GLUE = r"(?:码|是|为|:|：|\s)*"
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_ROOMS = (
    "号?房|诊室|办公室|包间|室(?!\\d)|号?包厢|号?教室|号?病房|号?会议室|号?床|号?报告厅|"
    "号?实验室|号?影厅"
)
_CRAFT = "歼|运|直|轰|强|东风|长征|神舟|嫦娥|天宫|天舟|图|苏|安"


def _telephone(match: re.Match[str]) -> str:
    country = "加八六，" if match[1] else ""
    return country + code(re.sub(r"\D", "", match[2]))


_SECRET_SIGNS: Final = {"_": "下划线", "*": "星号", "/": "斜杠", "@": "艾特"}


def _all_digits(match: re.Match[str]) -> str:
    return code(re.sub(r"\D", "", match[0]))


def _all_as_digits(match: re.Match[str]) -> str:
    return digits(match[0].replace("-", ""))


def _model(match: re.Match[str]) -> str:
    return match[1].replace("-", " ") + digits(match[2])


def _joined(match: re.Match[str]) -> str:
    """A number in parts: 编号20261125-007 -> 二零二六幺幺二五杠零零七."""
    return f"{match[1]}{match[2]}{match[3]}{code(match[4]).replace('-', '杠')}"


def _address(match: re.Match[str]) -> str:
    """The address of a network card: 00:1A:2B -> 零零冒号一A冒号二B."""
    return digits(match[0].replace(":", "冒号"))


def _day(match: re.Match[str]) -> str:
    """A day that has become a name: 9·11 -> 九一一."""
    return digits(match[1] + match[2])


def _secret(written: str) -> str:
    """A password or a name of letters, digits and signs, every sign said: a_1 -> a下划线一."""
    return digits("".join(_SECRET_SIGNS.get(sign, sign) for sign in written))


def _first_as_code(match: re.Match[str]) -> str:
    return code(match[1])


def _first_as_digits(match: re.Match[str]) -> str:
    return digits(match[1])


CODES: Final[tuple[Rule, ...]] = (
    rule(r"[(（]0\d{2,3}[)）][- ]?\d{3,4}[- ]?\d{4}(?!\d)", _all_digits),
    rule(r"(?<!\d)0\d{2,3}[- ]\d{3,4}[- ]?\d{4}(?!\d)", _all_digits),
    rule(
        rf"(电话|热线|手机|客服|拨打?|致电)({_GLUE})(\d{{3,4}}[- ]\d{{4}})(?![- ]?\d)",
        lambda m: m[1] + m[2] + code(re.sub(r"\D", "", m[3])),
    ),
    rule(r"(?<=[零一二三四五六七八九幺])转(\d{2,4})(?!\d)", lambda m: "转" + code(m[1])),
    rule(
        rf"((?:验证|校验|动态)码{_GLUE})(\d{{3}}) (\d{{3}})(?!\d)",
        lambda m: f"{m[1]}{code(m[2] + m[3])}",
    ),
    rule(
        r"(附件|附图|附表|门牌号|图|表)(\d{1,2})-(\d{1,2})(?![\d元月天年个人度])",
        lambda m: f"{m[1]}{cardinal(int(m[2]))}杠{cardinal(int(m[3]))}",
    ),
    rule(
        rf"((?:密码|名称|账号|帐号|用户名){_GLUE})(?=[\w*/@]*[_*/@])(?=[_*/@]*[A-Za-z\d])([A-Za-z\d_*/@]+)",
        lambda m: m[1] + _secret(m[2]),
    ),
    rule(r"(?<![\d/])(\d{1,2})/(?=\d{1,2}号(?:线|楼|门|口|窗))", r"\1、"),
    rule(
        r"(?<!\d)(211|985)(?=(?:[、和及/](?:211|985))?(?:高校|大学|院校|工程|名校))",
        _first_as_digits,
    ),
    rule(
        r"(?<![A-Za-z\d.:-])([1-9]|[1-5]\d)F\s*[-~—]\s*([1-9]|[1-5]\d)F(?![A-Za-z\d])",
        r"\1楼到\2楼",
    ),
    rule(r"(?<![A-Za-z\d)）%℃.-])-([1-9])F(?![A-Za-z\d])", r"负\1楼"),
    rule(r"(?<![A-Za-z\d.:-]|[温度氏烧车厢位-])([1-9]|[1-5]\d)F(?![A-Za-z\d]|电容|座)", r"\1楼"),
    rule(r"(?<=会议室|病房号)(\d{3,4})(?![\d.个人])", lambda m: code(m[1])),
    rule(r"(?<=《)((?:19|20)\d\d)(?=》)", lambda m: digits(m[1])),
    rule(
        rf"({NUMBER})\s*(mm|cm|km|m|kg|g|ml|mL|L|min|h)\s*[-~—]\s*(?={NUMBER}\s*\2(?![A-Za-z]))",
        r"\1\2到",
    ),
    rule(r"(?<!\d)[48]00[- ]\d{3}[- ]\d{4}(?!\d)|(?<!\d)[48]00-\d{7}(?!\d)", _all_digits),
    rule(r"(?:(\+ ?86[- ]?)|(?<!\d))(1\d{2}[- ]?\d{4}[- ]?\d{4})(?!\d)", _telephone),
    rule(r"(?<!\d)\d{4}(?: \d{4}){2,4}(?: \d{1,3})?(?!\d)", _all_digits),
    rule(
        rf"(取[件货]码{_GLUE})(\d+(?:-\d+)+)(?!\d)",
        lambda m: m[1] + code(m[2]).replace("-", "杠"),
    ),
    rule(rf"({_NUMBERED})({_GLUE})([A-Za-z_]*)(\d{{3,}}(?:-\d+)+)(?![\d.:/年月元-])", _joined),
    rule(r"(?<![A-Za-z0-9:])(?=[0-9:]*[A-F])(?:[0-9A-F]{2}:){2,5}[0-9A-F]{2}(?![\w:])", _address),
    rule(r"(?<![\d.:/,-])(0\d{2,})(?=号)", _first_as_code),
    rule(r"(?<!\d)(89|92|95|98)[#号](?=汽油|乙醇)", lambda m: digits(m[1]) + "号"),
    rule(r"(?<=\d)#(?=[\u4e00-\u9fff])", "号"),
    rule(
        rf"({_NUMBERED}|取件码|取货码)({_GLUE})([A-Za-z_]*)-?(\d{{3,}})(?![\d.:/年月元-])",
        lambda m: f"{m[1]}{m[2]}{m[3]}{code(m[4])}",
    ),
    rule(
        rf"(电话|热线|手机|客服|拨打?|致电)({_GLUE})(\d{{5,}})(?![\d.:/年月元-])",
        lambda m: f"{m[1]}{m[2]}{code(m[3])}",
    ),
    rule(
        rf"[{_PROVINCES}][A-Z][·.• ]?(?=[A-Z0-9]{{0,5}}\d)[A-Z0-9]{{5,6}}(?![A-Za-z0-9])",
        lambda m: code(re.sub(r"[·.• ]", "", m[0])),
    ),
    rule(r"(?<![\d.,])(\d{13,})(?![\d.,])", _first_as_code),
    rule(
        r"(?<![A-Za-z])K(\d{1,4})\+(\d{1,3})(?!\d)",
        lambda m: f"K{cardinal(int(m[1]))}加{cardinal(int(m[2]))}",
    ),
    rule(LATIN + r"([A-Z])-?(\d{3,})(?![\d.,:%A-Za-z])", lambda m: m[1] + code(m[2])),
    rule(r"(?<![\d.:/,-])(0\d+)(?![\d.:/,-])", _first_as_digits),
    rule(
        r"(?<![\d.])(?!(?:19|20)\d\d\.)(\d{1,3})((?:\.\d+){2})(?![\d.])",
        lambda m: cardinal(int(m[1])) + digits(m[2].replace(".", "点")),
    ),
    rule(r"((?:RTX|GTX|RX|HD|DDR) ?|i[3579]-)(\d{4,5})(?!\d)", _model),
    rule(r"(日期\D{0,3})((?:19|20)\d{6})(?!\d)", lambda m: m[1] + digits(m[2])),
    rule(r"(ISO|IEC|IEEE|RFC|GB(?:/T)?) ?(\d{3,5})(?!\d)", lambda m: f"{m[1]} {digits(m[2])}"),
    rule(LATIN + r"([vV])(?:er\.?)?(?=\d+\.\d)", r"\1 "),
    rule(
        r"(?<![A-Za-z0-9])(?:(?=([A-Z]))[A-Z]\d{1,2}-(?=\1\d)|\d{1,2}[A-Z]-(?=\d{1,2}[A-Z]))",
        lambda m: m[0][:-1] + "到",
    ),
    rule(r"7-11(?=便利|超市|门店)", "七十一"),
    rule(rf"{WHOLE}(360)(?=安全|浏览器|搜索|手机)", _first_as_digits),
    rule(r"(?<=[A-Za-z])-(?=\d)|(?<=\d)-(?=[A-Za-z])", " "),
    rule(
        LATIN + r"([GDCZTKYSL])(\d{1,4})(?=次|号?列车|号?动车|号?高铁)",
        lambda m: m[1] + code(m[2]),
    ),
    rule(LATIN + r"([A-Z]{2})(\d{3,4})(?!\d)", lambda m: m[1] + code(m[2])),
    rule(rf"{WHOLE}(\d{{3,4}})(?=\s*(?:{_ROOMS}))", _first_as_code),
    rule(r"([A-Z]座|单元|号楼)(\d{3,4})(?![\d.])", lambda m: m[1] + code(m[2])),
    rule(rf"{WHOLE}(\d{{1,2}})(?=单元)", lambda m: cardinal(int(m[1]))),
    rule(r"(?<=[A-Z])([12])(?=[层座线区出])", _first_as_digits),
    rule(rf"{WHOLE}(\d{{3}})(?=路)", _first_as_code),
    rule(rf"{WHOLE}(\d{{4}})(?=次(?:列车|火车|快车|特快|车))", _first_as_code),
    rule(r"(?<=波音|空客)(\d{3})(?!\d)", _first_as_digits),
    rule(rf"({_CRAFT})-(?=\d)", r"\1"),
    rule(rf"{WHOLE}(480|720|1080|1440|2160)(?=[pPiI](?![A-Za-z]))", _first_as_digits),
    rule(rf"{WHOLE}(84)(?=消毒)", _first_as_digits),
    rule(
        r"(?<![A-Za-z0-9])0[xX]([0-9A-Fa-f]{1,16})(?![A-Za-z0-9])", lambda m: "零x" + digits(m[1])
    ),
    rule(r"(?<=[层栋幢])(\d{3,4})(?=室|房|$|[，。、；的)）])", _first_as_code),
    rule(
        r"(?<![\d/.])(\d{2,3})/(\d{2,3})([ABCY])(?![A-Za-z0-9])",
        lambda m: f"{cardinal(int(m[1]))}、{cardinal(int(m[2]))}{m[3]}",
    ),
    rule(rf"{WHOLE}(996|007|211|985)(?=工作制|大学|高校|院校|工程)", _first_as_digits),
    rule(rf"{WHOLE}(101)(?=大[楼厦])", _first_as_digits),
    rule(rf"{WHOLE}(618|315|520)(?=购物节|大促|年中|晚会|活动|表白|消费者)", _first_as_digits),
    rule(rf"{WHOLE}(\d{{1,2}})[·.](\d{{1,2}})(?=[”\"’]?(?:事件|晚会|惨案|运动|事变))", _day),
    rule(rf"{WHOLE}(\d)-(\d)-(\d)(-\d)?(?=阵|站位|打法)", _all_as_digits),
    rule(r"(?<![\d.:/,-])111(?![\d.:/,-])", cardinal(111)),
)
