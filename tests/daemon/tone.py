"""A voice that hums: one 50 ms tone per character, and known faults for known characters."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.voices import Shelf
from engines.errors import EngineError, TextError
from engines.pipeline import PhraseUse
from engines.style import Style

RATE = 16000
CHUNK = 800  # samples per character
FAILS, CRASHES, NOT_A_NUMBER, SLOW = "碎", "炸", "无", "慢"


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
    known: bool = False


class ToneVoice:
    """Keeps count of the streams it has open, to show that each is closed."""

    streams = 64

    def __init__(self, name: str = "tone", rate: int = RATE) -> None:
        self.info = ToneInfo(name, sample_rate=rate)
        self.open_streams = 0
        self.plans: list[Style] = []

    def plan(self, text: str, style: Style, phrases: PhraseUse, /) -> tuple[str, Style]:
        if not any(character.isalnum() for character in text):
            raise TextError("text_empty", "there are no words in this text; write some")
        self.plans.append(style)
        return text, style

    def stream(self, plan: Any, cancelled: Callable[[], bool], /) -> Iterator[ToneChunk]:
        self.open_streams += 1
        try:
            text, style = plan
            for index, character in enumerate(text):
                if cancelled():
                    return
                yield self._chunk(character, index, style.volume)
        finally:
            self.open_streams -= 1

    def recall(self, text: str, style: Style, /) -> None:
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
        return ToneChunk(pcm * np.nan if character == NOT_A_NUMBER else pcm, index)


def tone(index: int, volume: float = 1.0) -> NDArray[np.float32]:
    """The samples of the character at `index`: a sine that never is zero twice in a row."""
    t = np.arange(index * CHUNK, (index + 1) * CHUNK)
    wave: NDArray[np.float32] = (volume * 0.5 * np.sin(2 * np.pi * 441.3 * t / RATE)).astype("f4")
    return wave


def load_tone(progress: Callable[[str], None]) -> Shelf:
    progress("loading voice tone")
    voices = ToneVoice(), ToneVoice("tone24k", 24000)
    for voice in voices:
        voice.warm_up()
    return Shelf(voices={voice.info.name: voice for voice in voices})
