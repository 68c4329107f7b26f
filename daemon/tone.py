"""A tone in place of speech: no voice makes it, and it goes the whole way that speech goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.speaking_voice import SpeakingVoice
from engines.style import Style

SECONDS, HERTZ, LEVEL_DB = 1.0, 440.0, -20.0
FADE_S = 0.02
PIECES = 10  # of it, each a turn of the engine's


def tone(rate: int, volume: float = 1.0) -> NDArray[np.float32]:
    """A sine that fades in and out, -20 dB of full scale at volume 1: float32 at `rate` Hz."""
    time_s = np.arange(int(rate * SECONDS)) / rate
    ramp = np.minimum(1.0, np.minimum(time_s, SECONDS - time_s) / FADE_S)
    wave = np.sin(2 * np.pi * HERTZ * time_s) * (0.5 - 0.5 * np.cos(np.pi * ramp))
    return (volume * 10 ** (LEVEL_DB / 20) * wave).astype(np.float32)


@dataclass(frozen=True, slots=True)
class ToneChunk:
    pcm: NDArray[np.float32]
    sentence: int = 0
    marks: tuple[()] = ()
    known: bool = False


@dataclass(frozen=True, slots=True)
class TonePlan:
    volume: float
    unread: tuple[()] = ()


class Tone:
    """What says it: in the name of a voice, at its rate, and without asking it."""

    def __init__(self, voice: SpeakingVoice) -> None:
        self.info, self.streams = voice.info, voice.streams

    def plan(self, text: str, style: Style, phrases: Any, /, **_: Any) -> TonePlan:
        return TonePlan(style.volume)

    def stream(self, plan: TonePlan, cancelled: Callable[[], bool], /) -> Iterator[ToneChunk]:
        for piece in np.array_split(tone(self.info.sample_rate, plan.volume), PIECES):
            if cancelled():
                return
            yield ToneChunk(piece)

    def recall(self, text: str, style: Style, /, **_: Any) -> None:
        """It is kept nowhere."""

    def warm_up(self) -> None:
        """It is always ready."""

    def close(self) -> None:
        """It has nothing open."""
