"""Texts are read once: the same parts again, within bounds, and never those of another reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.memo import Memo, Reading
from engines.pack import VoicePack
from engines.phrases import PhraseCache, VoicePhrases
from engines.pipeline import Part, Plan
from engines.style import Style
from engines.text.frontend import FrontEnd
from engines.text.lexicon import Entry, Lexicon
from engines.text.sentence import Unread
from engines.text.settings import TextSettings
from engines.voice import RuntimeOptions, Voice
from tests.engines.test_phrases import NEUTRAL

TEXT = "今天天气真好。银行在左边Ж。"
OWN = Lexicon()
SETTINGS = TextSettings()


def reading(
    text: str,
    lexicon: Lexicon = OWN,
    own: Lexicon = OWN,
    system: Lexicon = OWN,
    settings: TextSettings = SETTINGS,
) -> Reading:
    return Reading(text, Style(), "text", lexicon, own, system, settings)


def part(symbols: int) -> Part:
    return Part(np.zeros((symbols, 6), np.int64), 0, 0.0)


def read(memo: Memo, text: str, *symbols: int) -> None:
    plan = Plan(iter(map(part, symbols)), NEUTRAL)
    assert len(list(memo.follow(reading(text), plan).parts)) == len(symbols)


def test_only_what_was_read_to_its_end_is_remembered() -> None:
    memo = Memo()
    lost = Unread("character_unreadable", "Ж", 0, 1)
    plan = Plan(iter([part(3), part(4)]), NEUTRAL, unread=[lost])
    parts = memo.follow(reading("一"), plan).parts
    next(parts)
    assert memo.get(reading("一")) is None
    list(parts)
    known = memo.get(reading("一"))
    assert known is not None
    assert (known.symbols, known.controls, known.unread) == (7, NEUTRAL, (lost,))


def test_it_is_bounded_and_the_longest_unused_goes() -> None:
    memo = Memo(symbols=10)
    for text in "一二三":
        read(memo, text, 2, 1)
    assert memo.get(reading("一"))
    read(memo, "四", 3)
    assert [text for text in "一二三四" if memo.get(reading(text))] == ["一", "三", "四"]
    read(memo, "五", 11)
    assert memo.get(reading("五")) is None
    assert memo.get(reading("四"))
    read(memo, "四", 10)
    assert [text for text in "一二三四" if memo.get(reading(text))] == ["四"]


def test_another_lexicon_is_another_reading() -> None:
    memo, words = Memo(), Lexicon({"银行": Entry.of("银行", "yin2 xing2", "")})
    read(memo, "银行", 2)
    assert memo.get(reading("银行", words)) is None
    assert memo.get(reading("银行", own=Lexicon())) is None, "the voice's was read anew"
    assert memo.get(reading("银行", system=Lexicon())) is None, "the system's was read anew"
    assert memo.get(reading("银行", settings=TextSettings(emoji="name"))) is None
    assert memo.get(reading("银行", Lexicon())), "equal words, whoever gave them"


@pytest.fixture
def voice(nsf_pack: Path) -> Voice:
    pack = VoicePack(nsf_pack)
    return Voice(pack, RuntimeOptions(), phrases=VoicePhrases(PhraseCache(1 << 24), pack))


def test_a_voice_reads_a_text_once_for_each_style(
    voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    own = FrontEnd.sentences

    def sentences(self: FrontEnd, text: str, *more: object) -> object:
        seen.append(text)
        return own(self, text, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(FrontEnd, "sentences", sentences)
    with voice:
        first = [it.ids for it in voice.plan(TEXT).parts]
        again = [it.ids for it in voice.plan(TEXT).parts]
        assert all(map(np.array_equal, first, again))
        assert len(first) == len(again) > 1
        assert len(seen) == 1
        list(voice.plan(TEXT, Style(speed=1.2)).parts)
        list(voice.plan(TEXT, lexicon=Lexicon({"天气": Entry.of("天气", "tian1 qi5", "")})).parts)
        assert len(seen) == 3


def test_recalled_speech_is_the_same_with_marks_and_takes_no_place(voice: Voice) -> None:
    with voice:
        assert voice.recall(TEXT) is None, "not read yet"
        list(voice.plan(TEXT).parts)
        assert voice.recall(TEXT) is None, "read, and not spoken"
        plan = voice.plan(TEXT)
        fresh = list(voice.stream(plan))
        opened = [voice.stream(voice.plan(TEXT, phrases="ignore")) for _ in range(voice.streams)]
        for one in opened:
            next(one)
        known = voice.recall(TEXT)
        assert known is not None
        assert [one.text for one in known.unread] == [one.text for one in plan.unread] == ["Ж"]
        chunks = list(known.chunks)
        assert all(chunk.known for chunk in chunks)
        pcm = [np.concatenate([chunk.pcm for chunk in some]) for some in (fresh, chunks)]
        assert np.array_equal(pcm[0], pcm[1])
        marks = [[mark for chunk in some for mark in chunk.marks] for some in (fresh, chunks)]
        assert marks[0] == marks[1] != []
        assert voice.recall(TEXT, Style(volume=0.5)) is None
        for one in opened:
            one.close()
