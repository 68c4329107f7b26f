from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.errors import TextError
from engines.text.frontend import FrontEnd
from engines.text.sentence import Word
from engines.text.spans import Aligner
from engines.text.symbols import symbol_spans, symbols


def aligned(source: str, *said: str) -> list[str]:
    """The source of each run of characters with one span."""
    aligner = Aligner(source)
    spans = [span for text in said for span in aligner.take(text)]
    return [source[a:b] for a, b in dict.fromkeys(spans)]


@pytest.mark.parametrize(
    ("source", "said", "expected"),
    [
        ("你好", "你好", ["你", "好"]),
        ("共3.5元，好", "共三点五元，好", ["共", "3.5", "元", "，", "好"]),
        ("付¥99.8。", "付九十九点八元。", ["付", "¥99.8", "。"]),
        ("2026年", "二零二六年", ["2", "0", "2", "6", "年"]),
        ("12个", "十二个", ["12", "个"]),
        ("電話１１０", "电话幺幺零", ["電", "話", "１１０"]),
        ("好😀呀", "好呀", ["好", "呀"]),
        ("-5℃", "负五摄氏度", ["-5℃"]),
        ("今天 14:30 见", "今天十四点三十分见", ["今", "天", "14:30", "见"]),
    ],
)
def test_what_differs_has_the_span_between_what_agrees(
    source: str, said: str, expected: list[str]
) -> None:
    assert aligned(source, said) == expected


def test_sentences_are_taken_one_after_the_other() -> None:
    aligner = Aligner("好。" + "ж" * 500 + "。今天3元。")
    assert aligner.take("好。") == [(0, 1), (1, 2)]
    assert aligner.take("今天三元。") == [
        (503, 504),
        (504, 505),
        (505, 506),
        (506, 507),
        (507, 508),
    ]


def test_a_hostile_text_costs_no_more_than_its_length() -> None:
    start = time.process_time()
    spans = Aligner("1" * 20000).take("一" * 10000 + "二" * 10000)
    spans += Aligner("甲乙" * 10000).take("丙丁" * 10000)
    assert len(spans) == 40000
    assert time.process_time() - start < 5.0


def _sources(text: str, words: tuple[Word, ...]) -> list[str]:
    return [text[word.span[0] : word.span[1]] for word in words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天天氣很好。", ["今天", "天氣", "很好"]),
        ("门票99.5元，WiFi免费", ["门票", "99.5元", "WiFi", "免费"]),
        ("请到A座302室", ["请到", "A", "座", "302室"]),
        ("花儿开了", ["花儿", "开了"]),
    ],
)
def test_words_point_at_the_characters_of_the_user(
    front_end: FrontEnd, text: str, expected: list[str]
) -> None:
    (sentence,) = front_end.read(text)
    sources = _sources(text, sentence.words)
    assert set(expected) <= set(sources)
    assert all(source in "".join(expected) for source in sources)


def test_every_symbol_has_a_span(front_end: FrontEnd) -> None:
    text = "你好，花儿3.5元"
    (sentence,) = front_end.read(text)
    spans = symbol_spans(sentence.words)
    line = symbols(sentence)
    assert len(spans) == len(line)
    assert [text[a:b] for a, b in spans[:5]] == ["你", "你", "好", "好", ""]
    rhotic = line.index(next(symbol for symbol in line if "uar_c" in symbol))
    assert text[slice(*spans[rhotic])] == "花儿"


_TEXTS = st.lists(
    st.sampled_from(
        [
            *("你好", "電話", "3.5", "2026", "¥9.9", "，", "。", "\n", " ", "😀", "ж", "WiFi"),
            *("花儿", "12:30", "行{xing2}", "a@b.cn", "①", "Ⅳ", "㎡", "「", "%", "-", "{", "㐀"),
        ]
    ),
    max_size=30,
).map("".join)


@settings(max_examples=150, deadline=None, database=None)
@example("🎉！你好")
@example("1\udfca好3元\ud800")
@given(st.one_of(_TEXTS, st.text(max_size=40)))
def test_spans_lie_in_the_text_and_never_go_back(front_end: FrontEnd, text: str) -> None:
    try:
        sentences = front_end.read(text)
    except TextError:
        return
    spans = [s.span for sentence in sentences for w in sentence.words for s in w.syllables]
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert spans == sorted(spans, key=lambda span: span[0])
