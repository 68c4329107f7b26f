"""Text nobody should send: bounded time and memory, the best reading or a clear error."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.errors import TextError
from engines.text.flow import TextFlow
from engines.text.frontend import FrontEnd
from engines.text.normalize import Normalizer
from engines.text.rewrite import rewrite
from engines.text.sentence import Sentence, Unread
from engines.text.settings import TextSettings
from engines.text.unread import MOST

LONG = 10_000
SECONDS = 30  # measured: at most 5 on two shared cores; quadratic patterns took minutes


def _syllables(sentences: list[Sentence]) -> int:
    return sum(len(word.syllables) for sentence in sentences for word in sentence.words)


@pytest.mark.parametrize(
    "token", ["a", "好", "7", "a1", "a.", "a@", "1-", "1/", "1:", "1,", "¥1", "1x", "I", "一", "儿"]
)
def test_a_token_without_end(front_end: FrontEnd, token: str) -> None:
    start = time.perf_counter()
    sentences = front_end.read(token * (LONG // len(token)))
    assert time.perf_counter() - start < SECONDS
    assert _syllables(sentences) >= LONG // 2 // len(token)


@pytest.mark.parametrize(
    "filler", [" ", "\n", "“", "…", "？！", "\u0301", "\x00", "😀", "\ud800", "("]
)
def test_signs_without_end(front_end: FrontEnd, filler: str) -> None:
    start = time.perf_counter()
    sentences = front_end.read("你" + filler * LONG + "好")
    assert time.perf_counter() - start < SECONDS
    assert _syllables(sentences) == 2


def test_ten_megabytes_start_at_once_and_stay_small(front_end: FrontEnd) -> None:
    text = "今天天气真好，2026年11月22日气温-5℃，阳光洒在窗台上。" * 140_000
    assert len(text.encode()) > 10_000_000
    source = front_end.sentences(text)
    start = time.perf_counter()
    next(source)
    assert time.perf_counter() - start < 2
    tracemalloc.start()
    for _ in range(200):
        next(source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_controls_and_invisible_characters_go_without_a_trace(front_end: FrontEnd) -> None:
    controls = "".join(chr(c) for c in (*range(9), *range(14, 32), 0x7F, 0x200B, 0x202E, 0xFEFF))
    (sentence,) = front_end.read(controls.join("你好吗"))
    assert sentence.text.replace(" ", "") == "你好吗"
    assert not sentence.notes


def test_lone_surrogates_are_named(front_end: FrontEnd) -> None:
    (sentence,) = front_end.read("你\ud800好\udfff")
    assert sentence.text == "你好"
    assert "U+FFFD" in sentence.notes[0]


def test_right_to_left_text_is_left_out_and_named(front_end: FrontEnd) -> None:
    (sentence,) = front_end.read("\u202eمرحبا\u202c，你好")
    assert [word.text for word in sentence.words] == ["你好"]
    assert "U+0645" in sentence.notes[0]


def test_japanese_is_read_as_far_as_it_is_chinese(front_end: FrontEnd) -> None:
    (sentence,) = front_end.read("東京タワーの駅")
    assert "".join(word.text for word in sentence.words) == "东京駅"
    assert "タ (U+30BF)" in sentence.notes[0]


def test_cantonese_is_read_in_mandarin(front_end: FrontEnd) -> None:
    (sentence,) = front_end.read("佢哋喺度食緊嘢，冇問題。")
    assert _syllables([sentence]) == 10
    assert not sentence.notes


_SHREDS = st.sampled_from(
    [
        *("第", "2", "点", "年", "月", "日", "-", "~", "—", ":", "/", "%", "¥", "$", "℃", ".", ","),
        *(
            "京A",
            "G",
            "v",
            "x",
            "²",
            "°",
            "′",
            "Ⅳ",
            "IV",
            "①",
            "章",
            "血压",
            "mmHg",
            "kg",
            "元",
            "比",
        ),
        *(
            "电话",
            "验证码",
            "座",
            "单元",
            "室",
            "厅",
            "路",
            "次",
            "号",
            "至",
            "@",
            "www.",
            "#",
            "*",
        ),
    ]
)


@settings(max_examples=300, deadline=None, database=None)
@example("血压999/999")
@example("2室0厅")
@example("第0000章")
@given(st.lists(_SHREDS, max_size=14).map("".join))
def test_shreds_of_numbers_are_read_or_refused(front_end: FrontEnd, text: str) -> None:
    try:
        sentences = front_end.read(text)
    except TextError:
        return
    assert not any(c.isdigit() and c.isascii() for s in sentences for c in s.text)


@settings(max_examples=200, deadline=None, database=None)
@given(st.text(max_size=80))
def test_no_rule_fails_on_any_text(text: str) -> None:
    rewrite(text)


def test_one_normalizer_reads_any_length_of_nothing() -> None:
    assert list(Normalizer().sentences("")) == []
    assert list(Normalizer().sentences("\n" * LONG)) == []


def test_what_is_left_out_of_a_long_text_is_told_up_to_a_limit(front_end: FrontEnd) -> None:
    unread: list[Unread] = []
    start = time.process_time()
    front_end.read("你好" + "😀\n" * LONG + "ж好" * LONG, unread=unread)
    assert time.process_time() - start < SECONDS
    assert len(unread) == MOST + 1
    assert {left.code for left in unread[:-1]} == {"emoji_left_out"}
    assert unread[-1].code == "more_left_out"


@pytest.mark.parametrize("token", ["😀", "a.", "a@", "www.", "链接：", "\u200d😀", "🇨"])
def test_named_signs_without_end(front_end: FrontEnd, token: str) -> None:
    normalizer = Normalizer()
    start = time.process_time()
    text = token * (LONG // len(token)) + "好"
    list(normalizer.sentences(text, TextSettings(emoji="name", links="name")))
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize(
    "text", ["好" * 4_000_000, "Dr. " * 500_000, "a" * 2_000_000, "。" * 4_000_000]
)
def test_ten_megabytes_that_arrive_at_once_are_cut_in_time(text: str) -> None:
    flow = TextFlow()
    start = time.process_time()
    cut = [one.text for one in (*flow.feed(text), *flow.end())]
    assert time.process_time() - start < SECONDS
    assert "".join(cut).strip() == text.strip()
