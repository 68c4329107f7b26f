"""Marks of sentences, words and syllables come ahead of the audio and point to the sample."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.marks import KINDS, Said, speech_marks
from engines.text.clauses import symbol_count
from engines.text.sentence import Syllable, Word
from engines.text.symbols import DATA, read_phones
from engines.visemes import VISEMES, shapes
from engines.voice import AudioChunk, SpeechMark, Style, Voice, front_end

YUE = Path(__file__).resolve().parents[2] / "voices" / "yue"
TEXT = "今天天气真好，请说 hello。你好！我有3个苹果。"
LONG = "今天天气真好，阳光洒在窗台上，" * 12 + "再见。"
PAUSE = int(0.28 * 16_000)


@pytest.fixture(scope="module")
def voice(nsf_pack: Path) -> Iterator[Voice]:
    with Voice.load(nsf_pack) as loaded:
        yield loaded


def spoken(voice: Voice, text: str, style: Style | None = None) -> list[AudioChunk]:
    return list(voice.stream(voice.plan(text, style)))


def marks_of(chunks: list[AudioChunk], kind: str = "") -> list[SpeechMark]:
    return [mark for chunk in chunks for mark in chunk.marks if kind in ("", mark.kind)]


def samples(chunks: list[AudioChunk]) -> int:
    return sum(len(chunk.pcm) for chunk in chunks)


def test_all_that_is_said_has_its_mark(voice: Voice) -> None:
    chunks, read = spoken(voice, TEXT), front_end().read(TEXT)
    words = [word for sentence in read for word in sentence.words]
    assert [m.text for m in marks_of(chunks, "sentence")] == [s.text for s in read]
    assert [m.text for m in marks_of(chunks, "word")] == [word.text for word in words]
    assert [m.text for m in marks_of(chunks, "syllable")] == [
        syllable.pinyin for word in words for syllable in word.syllables
    ]


@pytest.mark.parametrize("style", [Style(), Style(speed=1.7, pitch=3.0), Style(speed=0.6)])
@pytest.mark.parametrize("text", [TEXT, LONG, "好。"])
def test_marks_are_in_order_and_ahead_of_their_audio(voice: Voice, text: str, style: Style) -> None:
    chunks = spoken(voice, text, style)
    at = 0
    for chunk in chunks:
        assert all(mark.start >= at and mark.sentence == chunk.sentence for mark in chunk.marks)
        at += len(chunk.pcm)
    marks = marks_of(chunks)
    assert all(0 <= mark.start <= mark.end <= at for mark in marks)
    assert [m.start for m in marks] == sorted(m.start for m in marks)
    words = marks_of(chunks, "word")
    assert all(one.end <= other.start for one, other in pairwise(words))
    for word in words:
        inside = [s for s in marks_of(chunks, "syllable") if word.start <= s.start < word.end]
        assert all(s.end <= word.end for s in inside)
    for kind in ("sentence", "word", "syllable"):
        assert all(one.end <= two.start for one, two in pairwise(marks_of(chunks, kind)))


def test_a_sentence_begins_where_its_audio_does(voice: Voice) -> None:
    """What one sentence is alone is found at its mark in the whole, sample for sample."""
    texts = ["今天天气真好。", "你好！", "我有3个苹果。"]
    chunks = spoken(voice, "".join(texts))
    wave = np.concatenate([chunk.pcm for chunk in chunks])
    sentences = marks_of(chunks, "sentence")
    for text, mark in zip(texts, sentences, strict=True):
        alone = np.concatenate([chunk.pcm for chunk in spoken(voice, text)])
        assert mark.end - mark.start == len(alone)
        assert np.abs(wave[mark.start : mark.end] - alone).max() < 1e-5
    assert [two.start - one.end for one, two in pairwise(sentences)] == [PAUSE, PAUSE]
    assert sentences[-1].end == len(wave)


def test_a_long_sentence_has_one_mark_and_all_its_words(voice: Voice) -> None:
    chunks = spoken(voice, LONG)
    (sentence,) = marks_of(chunks, "sentence")
    (read,) = front_end().read(LONG)
    assert (sentence.start, sentence.text) == (0, read.text)
    assert 0 < sentence.end < samples(chunks)
    assert [m.text for m in marks_of(chunks, "word")] == [word.text for word in read.words]


def test_words_of_the_built_in_voice_are_where_it_is_loud() -> None:
    """Marks against the sound itself: breaks between words at commas are near silence."""
    with Voice.load(YUE) as voice:
        chunks = spoken(voice, "今天天气真好，阳光洒在窗台上，我泡了一杯咖啡。")
    wave = np.concatenate([chunk.pcm for chunk in chunks])
    words = marks_of(chunks, "word")
    level = [float(np.sqrt(np.square(wave[w.start : w.end]).mean())) for w in words]
    gaps = [wave[a.end : b.start] for a, b in pairwise(words) if b.start - a.end > 1600]
    assert len(gaps) == 2
    assert min(level) > 5 * max(float(np.sqrt(np.square(gap).mean())) for gap in gaps)


WORDS = st.lists(
    st.lists(st.sampled_from(["ni2", "hao3", "an1", "W AY1", "huar1"]), min_size=1, max_size=4).map(
        lambda said: Word("".join(said), tuple(map(Syllable, said)), 1)
    ),
    min_size=1,
    max_size=6,
).map(tuple)


@given(words=WORDS, seed=st.integers(0, 99), start=st.integers(0, 10**9))
def test_marks_cover_the_phones_and_leave_out_the_breaks(
    words: tuple[Word, ...], seed: int, start: int
) -> None:
    count = sum(map(symbol_count, words))
    durations = np.random.default_rng(seed).integers(0, 9, count)
    marks = speech_marks(Said(words, 3, "text"), durations, 200, start)
    assert (marks[0].start, marks[0].end) == (start, start + 200 * durations.sum())
    syllables = sum(m.end - m.start for m in marks if m.kind == "syllable")
    breaks = np.cumsum([symbol_count(word) for word in words]) - 1
    assert syllables == 200 * (durations.sum() - durations[breaks].sum())
    assert sum(m.end - m.start for m in marks if m.kind == "word") == syllables
    assert {m.sentence for m in marks} == {3}


@given(words=WORDS, kinds=st.sets(st.sampled_from(sorted(KINDS))))
def test_only_the_kinds_that_are_wanted(words: tuple[Word, ...], kinds: set[str]) -> None:
    durations = np.full(sum(map(symbol_count, words)), 2)
    every, some = (
        speech_marks(Said(words, 0, "text"), durations, 200, 5, [(1, "here")], wanted)
        for wanted in (KINDS, kinds)
    )
    assert some == tuple(mark for mark in every if mark.kind in kinds)


@given(words=WORDS, seed=st.integers(0, 99))
def test_visemes_follow_each_other_without_a_gap(words: tuple[Word, ...], seed: int) -> None:
    durations = np.random.default_rng(seed).integers(0, 9, sum(map(symbol_count, words)))
    marks = speech_marks(Said(words, 0), durations, 200, 77)
    visemes = [mark for mark in marks if mark.kind == "viseme"]
    ends = [77, *(mark.end for mark in visemes)]
    assert [mark.start for mark in visemes] == ends[:-1]
    assert ends[-1] == 77 + 200 * durations.sum()
    assert {mark.text for mark in visemes} <= {*VISEMES}


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("b_c", ("PP",)),
        ("iao_c", ("ih", "aa", "ou")),
        ("iaor_c", ("ih", "aa", "ou", "RR")),
        ("er_c", ("E", "RR")),
        ("ay", ("aa", "ih")),
        ("th", ("TH",)),
        ("#4", ("sil",)),
    ],
)
def test_shapes_of_a_phone(phone: str, expected: tuple[str, ...]) -> None:
    assert shapes(phone) == expected


def test_every_phone_of_kantts_has_shapes_of_the_15() -> None:
    seen = {name: shapes(name) for name in read_phones(DATA / "PhoneSet.xml")}
    assert {name for name, shape in seen.items() if "sil" in shape} == {"pau"}
    assert {viseme for shape in seen.values() for viseme in shape} == {*VISEMES}


def test_marks_tell_the_characters_they_are_for(voice: Voice) -> None:
    text = "共3.5元，WiFi很好。下一句！"
    chunks = spoken(voice, text)
    marks = marks_of(chunks)
    assert all(m.span is not None for m in marks if m.kind != "viseme" or m.text != "sil")
    written = {m.text: text[slice(*(m.span or (0, 0)))] for m in marks_of(chunks, "syllable")}
    assert written["gong4"] == "共"
    assert written["wu3"] == "3.5"
    assert text[slice(*(marks[0].span or (0, 0)))] == "共3.5元，WiFi很好"
    assert [m.kind for m in marks[:4]] == ["sentence", "word", "syllable", "viseme"]


def test_marks_of_ssml_point_to_the_sample(voice: Voice) -> None:
    content = "今天<mark name='b'/>天气<break time='1s'/><mark name='c'/>好。<mark name='d'/>"
    text = f"<speak>{content}</speak>"
    chunks = list(voice.stream(voice.plan(text, markup="ssml")))
    at = {mark.text: mark.start for mark in marks_of(chunks, "user")}
    words = {mark.text: mark for mark in marks_of(chunks, "word")}
    assert at == {"b": words["天气"].start, "c": words["好"].start, "d": samples(chunks)}
    assert text[slice(*(words["好"].span or (0, 0)))] == "好"


def test_durations_of_other_symbols_are_refused() -> None:
    words = (Word("你好", (Syllable("ni2"), Syllable("hao3")), 4),)
    with pytest.raises(ValueError, match="4 durations for 5 symbols"):
        speech_marks(Said(words, 0), np.ones(4, np.int64), 200, 0)
