"""Mel spectra in decibels and their cepstra, with NumPy alone: what the audio gate looks at."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from engines.session import Floats

Doubles = npt.NDArray[np.float64]

WINDOW_S = 0.032
FLOOR_DB = 60.0  # below the loudest band of a sentence a difference is not heard


@cache
def filter_bank(rate: int, bands: int) -> Doubles:
    """Triangles (bands, bins) evenly spaced on O'Shaughnessy's mel scale from 0 Hz to rate / 2."""
    size = round(WINDOW_S * rate)
    top = 2595.0 * math.log10(1.0 + rate / 2.0 / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(0.0, top, bands + 2) / 2595.0) - 1.0)
    hertz = np.arange(size // 2 + 1) * (rate / size)
    low, mid, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.maximum(0.0, np.minimum((hertz - low) / (mid - low), (high - hertz) / (high - mid)))


def mel_power(wave: Floats, rate: int, bands: int, hop_s: float) -> Doubles:
    """Power (T, bands) in windows of 32 ms, frame i around hop_s * i.

    T is one more than the whole hops in the wave.
    """
    size, hop = round(WINDOW_S * rate), round(hop_s * rate)
    frames = len(wave) // hop + 1
    padded = np.pad(wave.astype(np.float64), (size // 2, size))
    cut = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop][:frames]
    power = np.abs(np.fft.rfft(cut * np.hanning(size), axis=1)) ** 2
    out: Doubles = power @ filter_bank(rate, bands).T
    return out


def decibels(power: Doubles, loudest: float) -> Doubles:
    """Levels relative to `loudest`, none below -FLOOR_DB."""
    floor = 10.0 ** (-FLOOR_DB / 10.0)
    out: Doubles = 10.0 * np.log10(np.maximum(power / max(loudest, 1e-12), floor))
    return out


def cepstra(levels: Doubles, count: int) -> Doubles:
    """Coefficients 1 to `count` (T, count) of levels (T, bands) in dB, scaled so that the norm of a
    difference is the RMS difference in dB of the two smoothed spectra (Kubichek 1993)."""
    bands = levels.shape[1]
    angle = np.outer(np.arange(bands) + 0.5, np.arange(1, count + 1)) * math.pi / bands
    out: Doubles = levels @ np.cos(angle) * (math.sqrt(2.0) / bands)
    return out
