"""Sentences out of text that arrives in pieces: the same ones, however it is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.text.flow import LONG, LONGEST, Text, TextFlow

_SILENT = "。！？!?；;…\n”’」』)）】》〉\"' "


def _sentences(pieces: list[str]) -> list[Text]:
    flow, found = TextFlow(), list[Text]()
    for piece in pieces:
        found += flow.feed(piece)
    return found + flow.end()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("圆周率是3.14159。好", ["圆周率是3.14159。", "好"]),
        ("我在 U.S.A. 上学。好", ["我在 U.S.A. 上学。", "好"]),
        ("Dr. Smith 和 Mr. Li 来了。", ["Dr. Smith 和 Mr. Li 来了。"]),
        ("水果, e.g. 苹果。", ["水果, e.g. 苹果。"]),
        ("See No. 5 and Fig. 3. Then go.", ["See No. 5 and Fig. 3.", " Then go."]),
        ("He said No. Then he left.", ["He said No.", " Then he left."]),
        ("等等……真的？！好", ["等等……", "真的？！", "好"]),
        ("“你好吗？”他问。「好！」她说。", ["“你好吗？”", "他问。", "「好！」", "她说。"]),
        ('He said "Go." Then left.', ['He said "Go."', " Then left."]),
        ("10:30开会，13:00吃饭。", ["10:30开会，13:00吃饭。"]),
        ("见http://a.cn/b?x=1&y=2!z。好", ["见http://a.cn/b?x=1&y=2!z。", "好"]),
        ("真的?是的!好", ["真的?", "是的!", "好"]),
        ("a&amp;b; c", ["a&amp;b;", " c"]),
        ("1. 打开电源\n2. 关闭", ["1. 打开电源\n", "2. 关闭"]),
        ("v1.2.3。1,234,567元。", ["v1.2.3。", "1,234,567元。"]),
        ("\n  \n好\n", ["好\n"]),
        ("", []),
    ],
)
def test_where_a_sentence_ends(text: str, sentences: list[str]) -> None:
    assert [one.text for one in _sentences([text])] == sentences


def test_a_sentence_is_there_with_its_mark() -> None:
    flow = TextFlow()
    assert [one.text for one in flow.feed("好。")] == ["好。"]
    assert flow.feed("Hello.") == []  # a digit may follow
    assert [one.text for one in flow.feed(" ")] == ["Hello."]


def test_a_long_sentence_is_cut_at_its_last_clause() -> None:
    text = "今天天气真好，" * 12 + "是吧。"
    cut = [one.text for one in _sentences([text])]
    assert "".join(cut) == text
    assert [len(one) for one in cut] == [56, 31]


def test_the_first_clause_after_too_long_a_one_ends_it() -> None:
    assert [len(one.text) for one in _sentences(["长" * (LONG + 9) + "，好"])] == [LONG + 10, 1]


def test_text_without_any_mark_is_cut_between_words() -> None:
    text = "今天天气真好我们一起去公园散步吧" * 30
    cut = [one.text for one in _sentences([text])]
    assert "".join(cut) == text
    assert max(map(len, cut)) <= LONGEST
    assert min(map(len, cut[:-1])) > LONGEST - 6
    flow = TextFlow()
    for character in text:
        flow.feed(character)
        assert len(flow) <= LONGEST


def test_numbers_and_links_are_not_cut_where_there_is_another_place() -> None:
    cut = [one.text for one in _sentences(["好" * 100 + "a1." * 200 + "好" * 300])]
    assert "a1." * 200 in cut[1]
    endless = [one.text for one in _sentences(["x" * 5000])]
    assert "".join(endless) == "x" * 5000
    assert max(map(len, endless)) <= 1001


_PIECES = st.sampled_from(
    [
        *(
            "好",
            "今天天气",
            "a",
            "Dr",
            "No",
            "U.S",
            ".",
            ". ",
            "3",
            "，",
            ",",
            "：",
            ":",
            "、",
            "。",
        ),
        *("！", "?", "!", "；", "…", "”", '"', "\n", " ", "http://a.cn/", "&amp;", "长" * 40),
    ]
)


@settings(max_examples=400, deadline=None, database=None)
@example(["等等…", "…真的？", "！”", "好"], [1, 3])
@example(["长" * 40, "，", "长" * 40, ",", "3", "。"], [1, 41, 42, 82])
@given(st.lists(_PIECES, max_size=14), st.lists(st.integers(0, 200), max_size=8))
def test_the_same_sentences_however_it_is_fed(parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(bounds)]
    whole, fed = _sentences([text]), _sentences(pieces)
    assert _heard(fed) == _heard(whole)
    assert all(text[start : start + len(one)] == one for one, start in fed)
    blank = str.maketrans("", "", " \n")
    assert "".join(one.text for one in fed).translate(blank) == text.translate(blank)


def _heard(found: list[Text]) -> list[str]:
    """The sentences without the silent marks at their edges."""
    return [stripped for one in found if (stripped := one.text.strip(_SILENT))]
