"""A simple ear for tests: the distance of log-mel spectrograms, in dB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.session import Floats

SIZE, HOP, BANDS = 1024, 256, 40
FLOOR = 1e-4


@dataclass(frozen=True)
class Heard:
    """A verdict: passed if no text is further away than `limit` dB."""

    distances: tuple[float, ...]
    limit: float

    @property
    def passed(self) -> bool:
        return max(self.distances) <= self.limit

    @property
    def reasons(self) -> tuple[str, ...]:
        return () if self.passed else (f"{max(self.distances):.2f} dB > {self.limit} dB",)

    @property
    def mean(self) -> dict[str, float]:
        return {"log_mel": float(np.mean(self.distances))}

    @property
    def worst(self) -> dict[str, float]:
        return {"log_mel": max(self.distances), "snr": float("inf")}


class Ear:
    """Judges as ClosedLoop wants it, and counts how often it was asked."""

    def __init__(self, limit: float) -> None:
        self.limit, self.asked = limit, 0

    def __call__(
        self, reference: Sequence[Floats], candidate: Sequence[Floats], rate: int
    ) -> Heard:
        self.asked += 1
        pairs = zip(reference, candidate, strict=True)
        return Heard(tuple(log_mel_distance(a, b, rate) for a, b in pairs), self.limit)


def log_mel_distance(a: Floats, b: Floats, rate: int) -> float:
    """Root mean square over what both have; what one lacks counts as silence."""
    length = max(len(a), len(b))
    one, two = (log_mel(np.pad(x, (0, length - len(x))), rate) for x in (a, b))
    return float(np.sqrt(((one - two) ** 2).mean()))


def log_mel(wave: Floats, rate: int) -> npt.NDArray[np.float64]:
    """(frames, BANDS) in dB."""
    padded = np.pad(wave.astype(np.float64), SIZE)
    frames = np.lib.stride_tricks.sliding_window_view(padded, SIZE)[::HOP] * np.hanning(SIZE)
    power = np.abs(np.fft.rfft(frames)) ** 2 / SIZE
    hertz = np.fft.rfftfreq(SIZE, 1 / rate)
    mels = 2595 * np.log10(1 + hertz / 700)
    edges = np.linspace(0, mels[-1], BANDS + 2)
    up = (mels - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - mels) / (edges[2:] - edges[1:-1])[:, None]
    bank = np.maximum(0, np.minimum(up, down))
    return np.asarray(10 * np.log10(power @ bank.T + FLOOR))
