"""The harmonic source, against its formula and against what KAN-TTS's own made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.pack import Source
from engines.session import Array, Floats
from engines.vocoder import Excitation
from tests.engines.whole import merging, rate
from trt_build.export.checkpoint import load_generator

KANTTS = Path(__file__).parents[1] / "data" / "kantts"
NSF = sorted(path.name for path in KANTTS.glob("hifigan_*nsf*"))
RATE, HOP = 16_000, 200
SOURCE = Source(weights=(1.0, 0.5), bias=0.0, f0_mean=250.0, f0_std=50.0)
COUPLED = msgspec.structs.replace(SOURCE, coupled=True)
QUIET = msgspec.structs.replace(SOURCE, sigma=0.0)


def contour(frames: int) -> tuple[Floats, Floats]:
    """f0 in Hz and voicing."""
    f0 = np.linspace(120, 380, frames, dtype=np.float32)
    return f0, (np.arange(frames) % 5 != 0).astype(np.float32)


@pytest.mark.parametrize("source", [SOURCE, COUPLED])
@settings(max_examples=25, deadline=None)
@given(chunks=st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_any_cut_gives_the_same_samples(source: Source, chunks: list[int]) -> None:
    f0, voiced = contour(sum(chunks))
    stream, at, parts = Excitation(source, RATE, HOP), 0, []
    for n in chunks:
        parts.append(stream.feed(f0[at : at + n], voiced[at : at + n]))
        at += n
    assert np.array_equal(np.concatenate(parts), Excitation(source, RATE, HOP).feed(f0, voiced))


def test_the_seed_is_all_that_is_random() -> None:
    f0, voiced = contour(9)
    waves = [Excitation(SOURCE, RATE, HOP, seed).feed(f0, voiced) for seed in (0, 0, 1)]
    assert np.array_equal(waves[0], waves[1])
    assert not np.allclose(waves[0], waves[2])


def test_coupled_partials_follow_the_formula() -> None:
    """tanh of the sum over i of w_i * alpha * sin(2 pi i * sum of f0 / rate)."""
    source = msgspec.structs.replace(QUIET, coupled=True, bias=0.2)
    f0, _ = contour(40)
    turns = np.cumsum(np.repeat(f0.astype(np.float64), HOP) / RATE)
    partials = [w * np.sin(2.0 * np.pi * i * turns) for i, w in enumerate(source.weights, 1)]
    wanted = np.tanh(source.alpha * np.sum(partials, 0) + source.bias)
    got = Excitation(source, RATE, HOP).feed(f0, np.ones_like(f0))
    assert np.abs(got - wanted).max() < 1e-6


@dataclass(frozen=True, slots=True)
class Heard:
    """What an excitation consists of: its partials where voiced, and what is left."""

    amplitudes: Array
    phases: Array
    voiced_noise: float
    unvoiced_noise: float

    @classmethod
    def in_wave(cls, wave: Array, f0: Array, voiced: Array, source: Source, hz: int) -> Heard:
        """By least squares over sine and cosine of every partial."""
        hop = len(wave) // len(f0)
        turns = np.cumsum(np.repeat(f0.astype(np.float64), hop) / hz)
        angles = 2.0 * np.pi * turns[:, None] * np.arange(1, len(source.weights) + 1)
        basis = np.concatenate([np.sin(angles), np.cos(angles)], 1)
        linear = np.arctanh(wave.astype(np.float64)) - source.bias
        on = np.repeat(voiced, hop) > 0
        fit = np.linalg.lstsq(basis[on], linear[on], rcond=None)[0]
        sines, cosines = np.split(fit, 2)
        return cls(
            np.hypot(sines, cosines),
            np.arctan2(cosines, sines),
            float((linear[on] - basis[on] @ fit).std()),
            float(linear[~on].std()),
        )


@pytest.mark.parametrize("made_by", ["KAN-TTS", "us"])
@pytest.mark.parametrize("name", NSF)
def test_what_the_excitation_consists_of(name: str, made_by: str) -> None:
    """Partials of amplitude alpha times weight, f0's at phase 0, and the noise of every partial."""
    golden, hz = np.load(KANTTS / name / "expected.npz"), rate(name)
    source = Source(*merging(load_generator(KANTTS / name)), f0_mean=0.0, f0_std=1.0)
    weights = np.array(source.weights)
    f0, voiced, wave = golden["f0"][0, 0], golden["uv"][0, 0], golden["excitation"][0, 0]
    if made_by == "us":
        wave = Excitation(source, hz, len(wave) // len(f0)).feed(f0, voiced)
    heard, loudness = Heard.in_wave(wave, f0, voiced, source, hz), np.linalg.norm(weights)
    spread = 4.0 * heard.voiced_noise / np.sqrt(len(wave) / 4)
    assert np.abs(heard.amplitudes - 0.1 * np.abs(weights)).max() < spread
    assert abs(np.sin(heard.phases[0])) * 0.1 * abs(weights[0]) < spread
    assert np.isclose(heard.voiced_noise, 0.003 * loudness, rtol=0.05)
    assert np.isclose(heard.unvoiced_noise, 0.1 / 3 * loudness, rtol=0.1)


def test_partials_of_a_trained_voice_may_lie_above_half_the_rate() -> None:
    """KAN-TTS keeps them, folded back; only coupled partials are left out there."""
    high = msgspec.structs.replace(QUIET, weights=(0.0, 1.0))
    f0, on = np.full(80, 5000.0, np.float32), np.ones(80, np.float32)
    spectrum = np.abs(np.fft.rfft(Excitation(high, RATE, HOP).feed(f0, on)))
    assert spectrum.argmax() == 6000
    coupled = msgspec.structs.replace(high, coupled=True)
    assert not Excitation(coupled, RATE, HOP).feed(f0, on).any()
