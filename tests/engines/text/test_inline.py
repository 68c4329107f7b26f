from __future__ import annotations

import pytest

from engines.text.frontend import FrontEnd
from engines.text.inline import inline
from engines.text.sentence import Sentence


def spoken(sentences: list[Sentence]) -> str:
    return " ".join(s.pinyin for x in sentences for w in x.words for s in w.syllables)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("银行{xing2}", "yin2 xing2"),
        ("银行{yin1 xing2}真好", "yin1 xing2 zhen1 hao3"),
        ("一{yi1}杯", "yi1 bei1"),
        ("一杯", "yi4 bei1"),
        ("你{ni3}好", "ni3 hao3"),
        ("窗台{tai1}上", "chuang1 tai1 shang4"),
        ("花{hua1}儿", "hua1 er2"),
        ("女{nvr3}儿", "nvr3"),
        (
            "买了3斤,共5.5元。重{chong2}点3次",
            "mai3 le5 san1 jin1 gong4 wu2 dian2 wu3 yuan2 chong2 dian3 san1 ci4",
        ),
        ("電話{hua1}", "dian4 hua1"),
        ("西安{xi1'an1}", "xi1 an1"),
        ("行{háng}业", "hang2 ye4"),
        ("银行{Yín Háng}", "yin2 hang2"),
        ("绿{lǜ}色", "lü4 se4"),
        ("行{Hang2}业", "hang2 ye4"),
    ],
)
def test_pinyin_in_braces_is_the_reading(front_end: FrontEnd, text: str, expected: str) -> None:
    sentences = front_end.read(text)
    assert spoken(sentences) == expected
    assert not [note for sentence in sentences for note in sentence.notes]


def test_the_word_stays_whole_and_points_at_the_characters(front_end: FrontEnd) -> None:
    (sentence,) = front_end.read("去银行{hang2}取钱")
    assert [word.text for word in sentence.words] == ["去", "银行", "取钱"]
    assert [word.span for word in sentence.words] == [(0, 1), (1, 3), (10, 12)]


def test_a_rare_character_can_be_given_a_reading(front_end: FrontEnd) -> None:
    (plain,) = front_end.read("姓𰻝的")
    assert plain.notes
    (sentence,) = front_end.read("姓𰻝{bian2}的")
    assert "bian2" in spoken([sentence])
    assert "𰻝" in sentence.text
    assert not sentence.notes


@pytest.mark.parametrize(
    "text",
    ["行{hagn2}啊", "{hang2}你好", "你{ni3 hao3}好", "A{ei1}好", "行{hang2" + " hang2" * 20 + "}"],
)
def test_what_is_no_reading_is_left_out_and_noted(front_end: FrontEnd, text: str) -> None:
    sentence = front_end.read(text)[0]
    assert "left out" in sentence.notes[0]
    assert "2" not in sentence.text
    assert "{" not in sentence.text


@pytest.mark.parametrize(
    "text", ["{name}", "{}", "行{hang}", "行{hǎng9}", '{"a1": 2}', "行{HANG2}"]
)
def test_other_braces_stay(text: str) -> None:
    assert inline(text).text == text
