"""A voice that hums: one 50 ms tone per character, and known faults for known characters."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from sambertd_client.protocol import Markup

from daemon.voices import Shelf
from engines.errors import EngineError, TextError
from engines.marks import KINDS, Kind, SpeechMark
from engines.pipeline import PhraseUse
from engines.style import Style
from engines.text.lexicon import Lexicon
from engines.text.sentence import Unread
from engines.text.ssml import read_ssml
from engines.text.symbol_text import read_symbols

RATE = 16000
CHUNK = 800  # samples per character
FAILS, CRASHES, NOT_A_NUMBER, SLOW, UNREAD = "碎", "炸", "无", "慢", "Ж"


@dataclass(frozen=True)
class ToneInfo:
    name: str = "tone"
    language: str = "zh-CN"
    licence: str = "CC0"
    sample_rate: int = RATE
    speakers: tuple[str, ...] = ("F7",)
    emotions: tuple[str, ...] = ("neutral", "happy")


@dataclass(frozen=True)
class ToneChunk:
    pcm: NDArray[np.float32]
    sentence: int
    marks: tuple[SpeechMark, ...] = ()
    known: bool = False


@dataclass
class TonePlan:
    text: str
    style: Style
    marks: Collection[str]
    unread: list[Unread] = field(default_factory=list)


class ToneVoice:
    """Keeps count of the streams it has open, to show that each is closed."""

    streams = 64  # open at once, at most

    def __init__(self, name: str = "tone", rate: int = RATE) -> None:
        self.info = ToneInfo(name, sample_rate=rate)
        self.open_streams = 0
        self.plans: list[Style] = []

    def plan(
        self,
        text: str,
        style: Style,
        phrases: PhraseUse,
        /,
        *,
        markup: Markup = "text",
        marks: Collection[str] = KINDS,
        lexicon: Lexicon | None = None,
    ) -> TonePlan:
        if markup == "ssml":
            text = read_ssml(text).script.text
        elif markup == "symbols":
            text = "".join("好" * len(w.syllables) for s in read_symbols(text) for w in s.words)
        if not any(character.isalnum() for character in text):
            raise TextError("text_empty", "there are no words in this text; write some")
        if not text.strip(UNREAD + "。 "):
            raise TextError("text_unreadable", "none of this can be read; write Chinese")
        self.plans.append(style)
        return TonePlan(text, style, marks)

    def stream(self, plan: TonePlan, cancelled: Callable[[], bool], /) -> Iterator[ToneChunk]:
        if self.open_streams >= self.streams:
            raise RuntimeError("all streams of this voice are open, as a real one would say")
        self.open_streams += 1
        try:
            for index, character in enumerate(plan.text):
                if cancelled():
                    return
                if character == UNREAD:
                    plan.unread.append(Unread("character_unreadable", UNREAD, index, index + 1))
                else:
                    chunk = self._chunk(character, index, plan.style.volume)
                    wanted = tuple(mark for mark in chunk.marks if mark.kind in plan.marks)
                    yield replace(chunk, marks=wanted)
        finally:
            self.open_streams -= 1

    def recall(
        self,
        text: str,
        style: Style,
        /,
        *,
        markup: str,
        marks: Collection[str] = KINDS,
        lexicon: Lexicon | None = None,
    ) -> None:
        """It keeps nothing."""

    def warm_up(self) -> None:
        self._chunk("a", 0, 1.0)

    def close(self) -> None:
        assert self.open_streams == 0

    @staticmethod
    def _chunk(character: str, index: int, volume: float) -> ToneChunk:
        if character == FAILS:
            raise EngineError("voice_broken", "this voice breaks here; use another")
        if character == CRASHES:
            raise RuntimeError("a bug in the engine")
        if character == SLOW:
            time.sleep(0.05)
        pcm = tone(index, volume)
        pcm = pcm * np.float32(np.nan) if character == NOT_A_NUMBER else pcm
        return ToneChunk(pcm, index, marks(character, index))


def tone(index: int, volume: float = 1.0) -> NDArray[np.float32]:
    """The samples of the character at `index`: a sine that never is zero twice in a row."""
    t = np.arange(index * CHUNK, (index + 1) * CHUNK)
    wave: NDArray[np.float32] = (volume * 0.5 * np.sin(2 * np.pi * 441.3 * t / RATE)).astype("f4")
    return wave


def marks(character: str, index: int) -> tuple[SpeechMark, ...]:
    """Each character is a sentence, a word and a syllable, with the mouth open, then closed."""
    start, end = index * CHUNK, (index + 1) * CHUNK
    kinds: tuple[Kind, ...] = ("sentence", "word", "syllable")
    span = (index, index + 1)
    whole = [SpeechMark(kind, start, end, character, index, span) for kind in kinds]
    half = SpeechMark("viseme", start, start + CHUNK // 2, "aa", index, span)
    return (*whole, half, SpeechMark("viseme", half.end, end, "sil", index))


def load_tone(progress: Callable[[str], None]) -> Shelf:
    progress("loading voice tone")
    voices = ToneVoice(), ToneVoice("tone24k", 24000)
    for voice in voices:
        voice.warm_up()
    return Shelf(voices={voice.info.name: voice for voice in voices})
