from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.text.english import English
from engines.text.english_numbers import english_runs, in_english, words, year
from engines.text.frontend import FrontEnd
from engines.text.script import Script


def said(text: str) -> str:
    return " ".join("".join(piece for piece, _ in in_english(text)).split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("room 42", "room forty two"),
        ("the 1st and 23rd, 20th of May", "the first and twenty third , twentieth of May"),
        ("version 3.10.2", "version three point one zero point two"),
        (
            "1,234,567 people",
            "one million two hundred thirty four thousand five hundred sixty seven people",
        ),
        ("born in 1905", "born in nineteen oh five"),
        ("May 4, 2026", "May four , twenty twenty six"),
        ("2026 items", "two thousand twenty six items"),
        ("$5 or €1.50", "five dollars or one point five zero euros"),
        ("$1", "one dollar"),
        ("5kg, 16 GB, 3.5GHz", "five kilograms , sixteen gigabytes , three point five gigahertz"),
        ("99.9%", "ninety nine point nine percent"),
        ("at 9:05 or 14:00", "at nine oh five or fourteen o'clock"),
        ("code 007", "code zero zero seven"),
        ("MP3 h264", "MP3 h264"),
        ("call 1380013", "call one three eight zero zero one three"),
    ],
)
def test_numbers_are_read_in_english(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The train leaves at 9:30 from gate 5.",
            "The train leaves at nine thirty from gate five.",
        ),
        (
            "说：please wait for 3 minutes，谢3位",
            "说：please wait for three minutes，谢3位",
        ),
        ("iPhone 15 Pro和Windows 11", "iPhone 15 Pro和Windows 11"),
        ("see it at http://a.cn/24 or a1@b.cn", "see it at http://a.cn/24 or a1@b.cn"),
        ("see it on 11/22 or 2026-11-22 or so", "see it on 11/22 or 2026-11-22 or so"),
        ("5 kg", "5 kg"),
    ],
)
def test_only_whole_phrases_are_english(text: str, expected: str) -> None:
    script = english_runs(Script(text))
    assert script.text.replace("  ", " ").replace(" .", ".").replace(" ，", "，") == expected
    assert [text[slice(*script.span(n, n + 1))] for n in range(3)] == list(text[:3])


def test_a_phrase_is_spoken_in_english(front_end: FrontEnd) -> None:
    text = "please wait for 3 minutes"
    (sentence,) = front_end.read(text)
    assert [word.text for word in sentence.words] == ["please", "wait", "for", "three", "minutes"]
    assert text[slice(*sentence.words[3].span)] == "3"


def test_years() -> None:
    expected = {2000: "two thousand", 2005: "two thousand five", 1900: "nineteen hundred"}
    assert {number: year(number) for number in expected} == expected


@settings(max_examples=200, deadline=None, database=None)
@given(st.integers(0, 10**12 - 1))
def test_every_word_of_a_number_is_known(number: int) -> None:
    english = English()
    assert all(english.read(word) for word in words(number).split())


@settings(max_examples=200, deadline=None, database=None)
@given(st.text(max_size=40) | st.text(alphabet="019.,:$% kgsth", max_size=20))
def test_the_pieces_cover_the_text(text: str) -> None:
    spans = [span for _, span in in_english(text)]
    assert [n for start, end in spans for n in range(start, end)] == list(range(len(text)))
