from __future__ import annotations

from pathlib import Path

import pytest

from engines.text.normalize import Normalizer
from engines.text.rewrite import cardinal


@pytest.fixture(scope="module")
def normalizer() -> Normalizer:
    return Normalizer()


def _say(normalizer: Normalizer, text: str) -> str:
    return "".join(sentence.text for sentence in normalizer.sentences(text))


def test_cases_of_wetext_processing(normalizer: Normalizer, data: Path) -> None:
    lines = (data / "wetext_cases.tsv").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 110
    said = {line: _say(normalizer, line.split("\t")[0]) for line in lines}
    assert not {line: text for line, text in said.items() if text != line.split("\t")[1]}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("GPT-4", "GPT 四"),
        ("ＡＢＣ１２", "ABC十二"),
        ("第Ⅳ期", "第四期"),
        ("120m²", "一百二十平方米"),
        ("x²", "x平方"),
        ("v1.2.3", "v一点二点三"),
        ("验证码123456", "验证码幺二三四五六"),
        ("身份证110101199001011234", "身份证幺幺零幺零幺幺九九零零幺零幺幺二三四"),
        ("G1234次", "G幺二三四次"),
        ("CA1234航班", "CA幺二三四航班"),
        ("+86 138-1234-5678", "加八六，幺三八幺二三四五六七八"),
        ("+8613812345678", "加八六，幺三八幺二三四五六七八"),
        ("010-12345678", "零幺零幺二三四五六七八"),
        ("120/80mmHg", "一百二十毫米汞柱、八十毫米汞柱"),
        ("¥1.2亿", "一点二亿元"),
        ("10—20", "十到二十"),
        ("1024x768", "一千零二十四乘七百六十八"),
        ("√2", "根号二"),
        ("50Hz", "五十赫兹"),
        ("2.4GHz", "二点四吉赫兹"),
        ("No.1", "第一"),
        ("C++", "C加加"),
        ("3‰", "千分之三"),
        ("100mL", "一百毫升"),
        ("12,345", "一万二千三百四十五"),
        ("007", "零零七"),
        ("302室", "三零二室"),
        ("www.example.com", "www点example点com"),
        ("a@qq.com", "a艾特qq点com"),
        ("**重点**", "**重点**".replace("*", "")),
        ("# 标题", "标题"),
        ("a=b", "a等于b"),
        ("٣个", "三个"),
        ("乾燥的臺灣", "干燥的台湾"),
        ("你好 世界", "你好，世界"),
        ("你 好", "你好"),
        ("café", "cafe"),
    ],
)
def test_what_the_grammars_misread(normalizer: Normalizer, written: str, said: str) -> None:
    assert _say(normalizer, written) == said


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("你好。再见！", ["你好。", "再见！"]),
        ("“你好吗？”他问。", ["“你好吗？”", "他问。"]),
        ("版本1.5发布。", ["版本一点五发布。"]),
        ("第一行\n第二行", ["第一行", "第二行"]),
        ("Hello there. I am here.", ["Hello there.", "I am here."]),
        ("真的吗？！太好了……是的", ["真的吗？！", "太好了…是的"]),
    ],
)
def test_sentence_ends(normalizer: Normalizer, text: str, sentences: list[str]) -> None:
    assert [sentence.text for sentence in normalizer.sentences(text)] == sentences


@pytest.mark.parametrize(
    ("number", "said"),
    [
        *((0, "零"), (10, "十"), (11, "十一"), (110, "一百一十"), (1001, "一千零一")),
        *((1010, "一千零一十"), (2000, "两千"), (10010, "一万零一十"), (101000, "十万一千")),
        *((20000000, "两千万"), (100000001, "一亿零一"), (10**11, "一千亿")),
    ],
)
def test_cardinals(number: int, said: str) -> None:
    assert cardinal(number) == said
