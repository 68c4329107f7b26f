from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.text.say_as import say_as


@pytest.mark.parametrize(
    ("kind", "style", "text", "expected"),
    [
        ("cardinal", "", "12,345", "一万二千三百四十五"),
        ("cardinal", "", "-3.14", "负三点一四"),
        ("cardinal", "", "１０", "十"),
        ("number", "", "2", "二"),
        ("ordinal", "", "3", "第三"),
        ("ordinal", "", "第200", "第二百"),
        ("ordinal", "", "2000", "第二千"),
        ("digits", "", "110", "一一零"),
        ("digits", "", "12 34-5", "一二，三四，五"),
        ("digits", "", "3.14", "三点一四"),
        ("telephone", "", "110", "幺幺零"),
        ("telephone", "", "+86 138-1234-5678", "加八六，幺三八，幺二三四，五六七八"),
        ("telephone", "", "(010)8888 1111转203", "零幺零，八八八八，幺幺幺幺，转二零三"),
        ("telephone", "", "*#06#", "星号井号零六井号"),
        ("date", "", "2026-11-22", "二零二六年十一月二十二日"),
        ("date", "", "20261122", "二零二六年十一月二十二日"),
        ("date", "", "2026年2月2日", "二零二六年二月二日"),
        ("date", "", "11/22", "十一月二十二日"),
        ("date", "", "2026.1", "二零二六年一月"),
        ("date", "", "2026", "二零二六年"),
        ("date", "mdy", "11/22/2026", "二零二六年十一月二十二日"),
        ("date", "dmy", "22.11.2026", "二零二六年十一月二十二日"),
        ("date", "m", "2", "二月"),
        ("time", "", "14:30", "十四点三十分"),
        ("time", "", "2:05", "两点零五分"),
        ("time", "", "9:00", "九点整"),
        ("time", "", "12:00:05", "十二点零分零五秒"),
        ("time", "hms24", "23:59:59", "二十三点五十九分五十九秒"),
        ("time", "hms12", "3:15 PM", "下午三点十五分"),
        ("currency", "", "¥99.80", "九十九点八元"),
        ("currency", "", "5 USD", "五美元"),
        ("currency", "", "HK$1,200", "一千二百港元"),
        ("currency", "", "2元", "两元"),
        ("currency", "", "-3.5亿欧元", "负三点五亿欧元"),
        ("characters", "", "A1b", "A幺B"),
        ("characters", "", "abc", "A B C"),
        ("spell-out", "", "a_1@x.cn", "A下划线幺艾特X点C N"),
        ("characters", "", "你好", "你好"),
        ("address", "", "朝阳路2号楼3单元502室", "朝阳路二号楼三单元五零二室"),
        ("address", "", "12-3-101", "十二杠三杠幺零幺"),
    ],
)
def test_content_is_said_as_it_is_meant(kind: str, style: str, text: str, expected: str) -> None:
    assert say_as(kind, text, style) == expected


@pytest.mark.parametrize(
    ("kind", "style", "text", "reason"),
    [
        ("cardinal", "", "abc", "is not a number"),
        ("cardinal", "", "1" * 13, "12 digits"),
        ("cardinal", "", "", "0 characters"),
        ("cardinal", "x", "1", "has no format 'x'"),
        ("ordinal", "", "三", "is not a number"),
        ("digits", "", "一", "is not digits"),
        ("telephone", "", "电话", "telephone number"),
        ("date", "", "2026-13-01", "13 is no 月"),
        ("date", "ymd", "11-22", "3 numbers"),
        ("date", "xyz", "11-22", "format is 'xyz'"),
        ("time", "", "25:00", "time of day"),
        ("time", "x", "14:30", "format is 'x'"),
        ("currency", "", "99", "amount of money"),
        ("characters", "", "😀", "has no name"),
        ("digits", "", "1" * 201, "201 characters"),
        ("vxml:boolean", "", "1", "write one of: cardinal"),
    ],
)
def test_other_content_is_refused(kind: str, style: str, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^.*$") as caught:
        say_as(kind, text, style)
    assert reason in str(caught.value)


_KINDS = "cardinal ordinal digits telephone date time currency characters address number"


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.sampled_from([*_KINDS.split(), "spell-out"]),
    st.text(alphabet=st.sampled_from("0129.,:-/ +()¥$元年月日点时分秒转AaPpMm万亿#*"), max_size=16)
    | st.text(max_size=12),
    st.sampled_from(["", "ymd", "md", "hms12"]),
)
def test_any_content_is_said_or_refused(kind: str, text: str, style: str) -> None:
    with suppress(ValueError):
        assert say_as(kind, text, style).strip()
