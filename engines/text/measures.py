"""Percentages, money, ranges and units that the number grammars do not know."""

from __future__ import annotations

import re
from typing import Final

from engines.text.characters import table
from engines.text.rules import LATIN, NUMBER, WHOLE, Rule, rule
from engines.text.spoken import cardinal, digits

_CURRENCY: Final = table("¥元 $美元 €欧元 £英镑")
_CODES: Final = {
    "USD": "美元",
    "EUR": "欧元",
    "GBP": "英镑",
    "JPY": "日元",
    "HKD": "港元",
    "CNY": "人民币",
    "RMB": "人民币",
    "KRW": "韩元",
    "AUD": "澳元",
    "CAD": "加元",
}
_ABROAD: Final = {"US": "$", "HK": "港元", "NT": "新台币", "JP": "日元", "CA": "加元", "S": "新元"}
_HERTZ: Final = {"": "赫兹", "k": "千赫兹", "K": "千赫兹", "M": "兆赫兹", "G": "吉赫兹"}
_UNITS: Final = {
    unit: spoken
    for unit, _, spoken in (
        pair.partition("=")
        for pair in (
            *("mAh=毫安时", "mA=毫安", "Ah=安时", "kWh=千瓦时", "Wh=瓦时", "kW=千瓦", "MW=兆瓦"),
            *("W=瓦", "mV=毫伏", "kV=千伏", "V=伏", "dB=分贝", "rpm=转每分"),
            *("mL=毫升", "L=升", "KG=千克", "Kg=千克", "KM=千米", "CM=厘米", "MM=毫米"),
            *("Mbps=兆比特每秒", "mbps=兆比特每秒", "Gbps=吉比特每秒", "kbps=千比特每秒"),
            *("g=克", "ug=微克", "um=微米", "uL=微升", "us=微秒", "nm=纳米", "t=吨"),
            *("kJ=千焦", "kPa=千帕", "MPa=兆帕", "hPa=百帕", "Pa=帕", "lux=勒克斯", "lx=勒克斯"),
            *("mmol=毫摩尔", "umol=微摩尔", "mol=摩尔", "IU=国际单位", "cc=毫升", "min=分钟"),
            *("mg=毫克", "kg=千克", "ng=纳克", "ml=毫升", "cm=厘米", "m=米", "h=小时", "d=天"),
        )
    )
}
_READ_HERE: Final = [unit for unit in _UNITS if unit not in ("mg", "kg", "ml", "cm", "m", "h", "d")]
_PER: Final = {
    "L": "升",
    "dL": "分升",
    "mL": "毫升",
    "ml": "毫升",
    "kg": "千克",
    "d": "天",
    "h": "小时",
    "min": "分钟",
    "m": "米",
    "立方米": "立方米",
    "立方厘米": "立方厘米",
    "平方米": "平方米",
    "分": "分钟",
    "平": "平",
}
_GROUPED: Final = r"\d[\d,]*(?:\.\d+)?"
_EACH: Final = (
    "平方米|斤|公斤|人|位|天|日|小时|次|份|个|瓶|杯|件|盒|张|晚|间|月|年|平米?|吨|分钟?|秒"
)
_COUNTED: Final = "次|个|天|人|位|名|片|粒|颗|杯|碗|小时|分钟|周|岁|米|公里|倍|种|斤|瓶|盒|件"

_COUNTED_ALSO: Final = (
    "[晚间份节双对副套把张条根支枝颗粒滴块片位名桌回趟遍场局盘轮部台辆架艘匹头只瓶罐袋包盒箱桶杯碗盆勺"
    "捆幅扇枚封篇首件顶顿道样种项笔批岁倍成胜负]"
    "(?!线|级)|次(?!方|列车|航班)|站(?![台点口牌])"
)

_SIGN: Final = {"-": "负", "+": "正", "": ""}


def _said(number: str) -> str:
    """In words: the grammars take the 12.5 of 百分之12.5 for a day."""
    whole, _, part = number.partition(".")
    return cardinal(int(whole)) + (f"点{digits(part)}" if part else "")


def _percent(number: str) -> str:
    return "百分之百" if number == "100" else f"百分之{_said(number)}"


def _signed_percent(match: re.Match[str]) -> str:
    return _SIGN[match[1]] + _percent(match[2])


def _amount(match: re.Match[str]) -> str:
    """Money without thousands commas and without zeros nobody says: 1,299.00 -> 1299."""
    return re.sub(r"\.?0+$", "", match[0].replace(",", "")) or "0"


def _abroad(match: re.Match[str]) -> str:
    currency = _ABROAD[match[1]]
    return f"${match[2]}" if currency == "$" else match[2] + currency


def _with_unit(match: re.Match[str]) -> str:
    """120W is no emergency call, which the grammars take 120 for before a unit they do not know."""
    number = match[1]
    if re.fullmatch(r"1\d\d", number):
        number = cardinal(int(number))
    return number + _UNITS[match[2]]


def _per(match: re.Match[str]) -> str:
    """The price or rate with what it is for before it: 3元/斤 -> 每斤3元."""
    symbol, number, unit, each = match[1] or "", match[2].replace(",", ""), match[3], match[4]
    return f"每{_PER.get(each, each)}{number}{unit}{_CURRENCY.get(symbol, '')}"


_SIGNED = "误差|偏差|公差|涨幅|涨跌|同比|环比|增幅|净胜|气温|温度|球镜|散光|度数|视力"
_ITEMS = "瓶|件|份|个|张|袋|盒|台|杯|斤|只|片|粒|包"
_IN_HAN = "微克|毫克|千克|克|毫摩尔|国际单位|个"
_FOOD = "g|克|ml|mL|毫升"

AMOUNTS: Final[tuple[Rule, ...]] = (
    rule(LATIN + r"PM2\.5", "PM二点五"),
    rule(rf"[¥]\s*({_GROUPED}[百千万亿]*)(?=元)", r"\1"),
    rule(
        rf"()(?<![\d.,])[¥]?({_GROUPED})元?/(\d+)(分钟|小时|天|分|次|人)(?![A-Za-z])",
        lambda m: f"每{cardinal(int(m[3]))}{m[4]}{m[2]}元",
    ),
    rule(
        rf"({NUMBER})\s*(k?J|kcal|mg|g|kg)/100\s*({_FOOD})(?![A-Za-z])",
        lambda m: f"每一百{'克' if m[3] in 'g克' else '毫升'}{m[1]}{_UNITS.get(m[2], m[2])}",
    ),
    rule(
        rf"({NUMBER})\s*({_IN_HAN})/(立方米|平方米|毫升|分升|升|公斤|千克)",
        r"每\3\1\2",
    ),
    rule(rf"({NUMBER})\s*V\s*[/—,]?\s*({NUMBER})\s*A(?![A-Za-z])", r"\1伏\2安"),
    rule(
        rf"(?<![\d.])({NUMBER})\s*[-~—到]\s*({NUMBER})(次|元)/({_EACH})(?![A-Za-z])",
        lambda m: f"每{_PER.get(m[4], m[4])}{m[1]}到{m[2]}{m[3]}",
    ),
    rule(
        rf"([¥$€£])\s*({_GROUPED})\s*[-~—]+\s*[¥$€£]?({_GROUPED})",
        lambda m: f"{m[2]}到{m[3]}{_CURRENCY[m[1]]}".replace(",", ""),
    ),
    rule(rf"([¥$€£])({_GROUPED}[百千万亿]*)()/({_EACH})(?![A-Za-z])", _per),
    rule(
        rf"()(?<![\d.,])({_GROUPED}[百千万亿]*)(元|块钱?|次|{_ITEMS})/({_EACH})(?![A-Za-z])", _per
    ),
    rule(rf"()(?<![\d.,])({_GROUPED}[万亿])()/({_EACH})(?![A-Za-z])", _per),
    rule(rf"(?<=[¥$€£])\d[\d,]*\.\d\d(?!\d)|{WHOLE}\d[\d,]*\.\d\d(?=元|块|美元|欧元)", _amount),
    rule(r"(?<![\d,])(\d{1,3}(?:,\d{3})+)\s*[-~—]\s*(?=\d{1,3}(?:,\d{3})+[元万亿人])", r"\1到"),
    rule(r"(?<=[\u4e00-\u9fff：:])(?<![百千万亿元])-(?=\d{1,3}(?:,\d{3})+)", "负"),
    rule(
        r"(?<![\d.,¥$€£])\d{1,3}(?:,\d{3}){1,3}(?![\d.,%℃]|\s*[A-Za-z])",
        lambda m: cardinal(int(m[0].replace(",", ""))),
    ),
    rule(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d)", lambda m: m[0].replace(",", "")),
)

MEASURES: Final[tuple[Rule, ...]] = (
    rule(rf"{LATIN}(US|HK|NT|JP|CA|S)[$¥]\s*({NUMBER}[百千万亿]*)", _abroad),
    rule(rf"{LATIN}RMB\s*({NUMBER}[百千万亿]*)元?", r"人民币\1元"),
    rule(
        rf"({NUMBER}[百千万亿]*)\s*({'|'.join(_CODES)})(?![A-Za-z])", lambda m: m[1] + _CODES[m[2]]
    ),
    rule(rf"({NUMBER})\s*bpm(?![A-Za-z])", r"每分钟\1次"),
    rule(rf"({NUMBER})\s*L/100\s*km(?![A-Za-z])", r"每百公里\1升"),
    rule(
        rf"({NUMBER})\s*(kg|g|mg|ug|ng|mmol|umol|mol|IU|mL|ml)/(立方米|立方厘米|L|dL|mL|ml|kg|d|h)"
        r"(?![A-Za-z])",
        lambda m: f"每{_PER[m[3]]}{m[1]}{_UNITS[m[2]]}",
    ),
    rule(
        rf"(?:(?<![\d.%A-Za-z)）])([+-]))?{WHOLE}({NUMBER})%?\s*[-~—]\s*([+-]?)({NUMBER})%",
        lambda m: f"{_SIGN[m[1] or '']}{_percent(m[2])}到{_SIGN[m[3]]}{_percent(m[4])}",
    ),
    rule(rf"(?<![\d%A-Za-z)）])([+-])({NUMBER})%", _signed_percent),
    rule(rf"{WHOLE}100%", "百分之百"),
    rule(rf"{WHOLE}([1-9][1-9])(?=折)", lambda m: digits(m[1])),
    rule(r"(?<=%)\s*(?i:vol)(?![A-Za-z])", ""),
    rule(r"(?<=[，。；！])\+(?=\d+元)", "加"),
    rule(r"(?<=[℃℉])/(?=\d)", "、"),
    rule(r"(?<=[12一二两]米)(\d\d)(?![\d.,:米厘分元个人次]|\s*[A-Za-z])", lambda m: digits(m[1])),
    rule(r"(?<![A-Za-z])INR\s*(?=\d)", "INR，"),
    rule(rf"({NUMBER}%)\+(?=$|[\u4e00-\u9fff，。！？；、）)])", r"\1加"),
    rule(r"(?<=\d)\+(?=\d)", "加"),
    rule(rf"(?<!{_SIGNED.replace('|', ')(?<!')})(?<=[\u4e00-\u9fff])\+(?=\d)", "加"),
    rule(rf"{WHOLE}({NUMBER}[百千万亿]*)\+(?=$|[\u4e00-\u9fff，。！？；、）)])", r"\1加"),
    rule(
        rf"(?:(?<![\d%‰A-Za-z)）])([+-]))?{WHOLE}({NUMBER})‰",
        lambda m: f"{_SIGN[m[1] or '']}千分之{_said(m[2])}",
    ),
    rule(rf"(?<![\d.,:/第月年-])2[~-](?=\d{{1,2}}(?:{_COUNTED}))", "两到"),
    rule(r"(\d+)/(\d+)\s*(?i:mmHg)", r"\1毫米汞柱、\2毫米汞柱"),
    rule(r"(?<=\d)\s*(?i:mmHg)", "毫米汞柱"),
    rule(
        r"(血压\D{0,4}?)(\d{2,3})/(\d{2,3})(?!\d)",
        lambda m: f"{m[1]}{cardinal(int(m[2]))}、{cardinal(int(m[3]))}",
    ),
    rule(r"(?<=[\d%℃])\s*[—~]+\s*(?=\d)", "到"),
    rule(r"(?<=次方)/(L|mL)(?![A-Za-z])", lambda m: "每" + _PER[m[1]]),
    rule(r"(?<=\d)\s*([KMGT]B|[KMG]b)/s(?![A-Za-z])", r"\1每秒"),
    rule(
        r"([¥$€£])\s*(\d[\d,]*(?:\.\d+)?)\s*([百千万亿]+)",
        lambda m: f"{m[2]}{m[3]}{_CURRENCY[m[1]]}",
    ),
    rule(r"¥\s*(\d[\d,]*(?:\.\d+)?)(?![\d百千万亿.])", r"\1元"),
    rule(r"(?<!\d)(12|24|36|48|72)H(?![A-Za-z])", r"\1小时"),
    rule(r"(?<=ml|mL|kg|cm|mm)\s*[*×]\s*(?=\d)|(?<=[gLm克升米])\s*[*×]\s*(?=\d)", "乘"),
    rule(
        r"(?<![\d.])(\d+)\.(\d+)(?=\s*[KMGT]i?[Bb](?![A-Za-z]))",
        lambda m: f"{cardinal(int(m[1]))}点{digits(m[2])}",
    ),
    rule(r"(\d)室(\d)厅(?:(\d)卫)?", lambda m: _rooms(m[0])),
    rule(
        rf"{WHOLE}({NUMBER})\s*([kKMG]?)Hz",
        lambda m: _said(m[1]) + _HERTZ[m[2]],
    ),
    rule(
        r"(?<![A-Za-z0-9])([A-Z])(\d{1,3})(?=L(?![A-Za-z0-9]))",
        lambda m: m[1] + cardinal(int(m[2])),
    ),
    rule(rf"(电流\D{{0,3}}{NUMBER})\s*A(?![A-Za-z])", r"\1安"),
    rule(rf"({NUMBER})\s*({'|'.join(_READ_HERE)})(?![A-Za-z])", _with_unit),
    rule(r"(?<=[伏瓦安克升])/(?=\d)", "、"),
    rule(r"(?<=[A-Za-z])\+(?=\d)", "加"),
    rule(rf"(?<![\d.,:/第-])2(?=(?:{_COUNTED_ALSO}))", "两"),
)


def _rooms(plan: str) -> str:
    """2室1厅 -> 两室一厅."""
    return re.sub(r"\d", lambda m: "两" if m[0] == "2" else cardinal(int(m[0])), plan)
