from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.text.clauses import LONGEST_FIRST, LONGEST_PART, parts, symbol_count
from engines.text.frontend import FrontEnd
from engines.text.sentence import Syllable, Word
from engines.text.symbols import SymbolTable, symbols

LONGEST_SYLLABLE = 5  # symbols, of those below with the break
SYLLABLES = st.sampled_from(["ni2", "hao3", "an1", "huar1", "W AY1", "AY1", "S T R IY1"]).map(
    Syllable
)
MARKS = st.sampled_from(["", "", "", "，", "、", "；", "——", "…", "，（", "。\n", "/"])
WORDS = st.builds(
    Word,
    st.text("好天气w", min_size=1, max_size=4),
    st.lists(SYLLABLES, min_size=1, max_size=6).map(tuple),
    st.integers(1, 3),
    MARKS,
)
SENTENCES = st.lists(WORDS, min_size=1, max_size=120)
LONG_WORD = Word("w" * 30, (Syllable("S T R IY1"),) * 90, 3, "，")


def word(text: str, marks: str = "", break_after: int = 1) -> Word:
    """A word of two symbols for each character, and one for its break."""
    return Word(text, (Syllable("hao3"),) * len(text), break_after, marks)


def symbol_total(words: Sequence[Word]) -> int:
    return sum(map(symbol_count, words))


def texts(words: Sequence[Word], longest: int) -> list[str]:
    return ["".join(w.text for w in part) for part in parts(words, longest)]


def syllables(words: Sequence[Word]) -> list[Syllable]:
    return [syllable for word in words for syllable in word.syllables]


@settings(max_examples=150, deadline=None, database=None)
@example([LONG_WORD], 20)
@example([LONG_WORD] * 3, LONGEST_SYLLABLE)
@given(SENTENCES, st.integers(LONGEST_SYLLABLE, 300))
def test_nothing_is_lost_doubled_or_moved(words: list[Word], longest: int) -> None:
    cut = list(parts(words, longest))
    assert syllables([word for part in cut for word in part]) == syllables(words)
    assert "".join(w.text for part in cut for w in part) == "".join(w.text for w in words)
    assert "".join(w.marks for part in cut for w in part) == "".join(w.marks for w in words)


@settings(max_examples=150, deadline=None, database=None)
@example([LONG_WORD], 20)
@given(SENTENCES, st.integers(LONGEST_SYLLABLE, 300))
def test_every_part_is_within_the_bound_and_ends(words: list[Word], longest: int) -> None:
    for part in parts(words, longest):
        line = symbols(part)
        assert 0 < len(line) <= longest
        assert len(line) == sum(map(symbol_count, part))
        assert part[-1].break_after == 4


@settings(max_examples=150, deadline=None, database=None)
@given(SENTENCES, st.integers(40, 300))
def test_no_word_is_cut(words: list[Word], longest: int) -> None:
    assert max(map(symbol_count, words)) <= 40
    cut = [word for part in parts(words, longest) for word in part]
    assert [replace(w, break_after=0) for w in cut] == [replace(w, break_after=0) for w in words]


@settings(max_examples=150, deadline=None, database=None)
@given(st.lists(WORDS.map(lambda w: replace(w, syllables=w.syllables[:1])), min_size=9))
def test_no_part_is_a_scrap(words: list[Word]) -> None:
    assert min(sum(map(symbol_count, part)) for part in parts(words * 4, 60)) >= 15


@settings(max_examples=100, deadline=None, database=None)
@given(SENTENCES, st.integers(LONGEST_SYLLABLE, 300))
def test_parts_are_not_cut_again(words: list[Word], longest: int) -> None:
    for part in parts(words, longest):
        assert list(parts(part, longest)) == [part]


def test_a_sentence_that_fits_is_one_part() -> None:
    words = (word("天气", "，", 3), word("很好", "。", 4))
    assert list(parts(words, 10)) == [words]
    assert len(list(parts(words, 9))) == 2


@pytest.mark.parametrize(
    ("marks", "breaks", "expected"),
    [
        (["", "，", "", "、", "", ""], [1, 3, 1, 3, 1, 1], ["甲乙", "丙丁戊己"]),
        (["", "、", "", "；", "", ""], [1, 3, 1, 3, 1, 1], ["甲乙丙丁", "戊己"]),
        (["", "", "", "、", "", ""], [1, 3, 2, 3, 1, 1], ["甲乙丙丁", "戊己"]),
        (["", "", "", "", "", ""], [1, 3, 2, 1, 1, 1], ["甲乙", "丙丁戊己"]),
        (["", "", "", "", "", ""], [1, 1, 1, 2, 1, 1], ["甲乙丙丁", "戊己"]),
        (["", "", "", "", "", ""], [1, 1, 1, 1, 1, 1], ["甲乙丙", "丁戊己"]),
    ],
)
def test_the_best_place_is_a_clause_mark_then_a_break_then_a_word(
    marks: list[str], breaks: list[int], expected: list[str]
) -> None:
    words = [word(*row) for row in zip("甲乙丙丁戊己", marks, breaks, strict=True)]
    assert texts(words, 14) == expected


def test_a_mark_far_from_the_even_place_does_not_count() -> None:
    words = [word("甲", "；", 3), *[word("乙")] * 19, word("丙", "；", 3), word("丁")]
    assert [len(part) for part in parts(words, 50)] == [11, 11]


def test_parts_are_balanced_and_not_filled_up() -> None:
    words = [word("甲", "，", 3)] * 12
    assert [len(part) for part in parts(words, 30)] == [6, 6]


def test_a_word_longer_than_a_part_is_cut_between_syllables() -> None:
    before, long, after = word("前"), word("一二三四五六七八九", "，", 3), word("后")
    cut = list(parts([before, long, after], 9))
    assert [[w.text for w in part] for part in cut] == [
        ["前"],
        ["一二三"],
        ["四五六"],
        ["七八九"],
        ["后"],
    ]
    assert [w.marks for part in cut for w in part] == ["", "", "", "，", ""]


def test_a_syllable_is_never_cut() -> None:
    cut = list(parts([Word("street", (Syllable("S T R IY1 T"),) * 2, 4)], 3))
    assert [len(symbols(part)) for part in cut] == [6, 6]


@pytest.mark.parametrize(
    "text",
    [
        "今天天气真好" * 60,
        "1" * 400,
        "w" * 400,
        "GPU" * 100,
        "一" * 300,
        "儿" * 300,
        "Supercalifragilistic" * 500,
        "甲、乙、丙、" * 200,
    ],
)
def test_any_sentence_fits_the_model(front_end: FrontEnd, text: str) -> None:
    table = SymbolTable.default()
    for sentence in front_end.read(text):
        cut = list(parts(sentence.words))
        assert [w.text for part in cut for w in part] == [w.text for w in sentence.words]
        sizes = [len(table.encode(symbols(part))) for part in cut]
        assert max(sizes) <= LONGEST_PART
        assert min(sizes) >= LONGEST_PART / 4


@settings(max_examples=150, deadline=None, database=None)
@given(SENTENCES, st.integers(LONGEST_SYLLABLE, 100))
def test_only_the_first_part_may_be_bounded_more(words: list[Word], first: int) -> None:
    cut = list(parts(words, 200, first))
    assert symbol_total(cut[0]) <= first
    assert all(symbol_total(part) <= 200 for part in cut)
    assert syllables([word for part in cut for word in part]) == syllables(words)
    if sum(map(symbol_count, words)) <= first:
        assert len(cut) == 1


def test_the_first_part_ends_at_a_clause_mark_that_is_near(front_end: FrontEnd) -> None:
    long = "阳光洒在窗台上我泡了一杯咖啡准备开始一天的工作" * 4
    (sentence,) = front_end.read(f"今天天气真好我们一起去公园散步吧，{long}。")
    first = next(parts(sentence.words, LONGEST_PART, LONGEST_FIRST))
    assert (first[-1].text, first[-1].marks) == ("散步吧", "，")


def test_real_text_is_cut_at_clauses(front_end: FrontEnd) -> None:
    clause = "今天天气真好阳光洒在窗台上我泡了一杯咖啡"
    (sentence,) = front_end.read("，".join([clause] * 12) + "。")
    cut = list(parts(sentence.words))
    assert len(cut) > 2
    assert all(part[-1].text == "咖啡" and part[-1].marks for part in cut)


def test_cutting_costs_little_and_grows_with_length(front_end: FrontEnd) -> None:
    (sentence,) = front_end.read("今天天气真好" * 150)
    start = time.process_time()
    assert len(list(parts(sentence.words * 35))) > 300
    assert time.process_time() - start < 2.0
