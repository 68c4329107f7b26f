from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.pack import Source
from engines.vocoder import Excitation

RATE, HOP = 16_000, 200
SOURCE = Source(weights=(1.0, 0.5), bias=0.0, f0_mean=250.0, f0_std=50.0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_chunks_join_without_a_seam(chunks: list[int]) -> None:
    frames = sum(chunks)
    f0 = np.linspace(120, 380, frames, dtype=np.float32)
    voiced = (np.arange(frames) % 5 != 0).astype(np.float32)
    whole = Excitation(SOURCE, RATE, HOP).feed(f0, voiced)
    stream, at, parts = Excitation(SOURCE, RATE, HOP), 0, []
    for n in chunks:
        parts.append(stream.feed(f0[at : at + n], voiced[at : at + n]))
        at += n
    assert np.abs(np.concatenate(parts) - whole).max() < 1e-4


def test_partials_lie_on_multiples_of_f0() -> None:
    f0, voiced = np.full(80, 200.0, np.float32), np.ones(80, np.float32)
    wave = Excitation(SOURCE, RATE, HOP).feed(f0, voiced)
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    assert spectrum[:300].argmax() == 200
    assert 300 + spectrum[300:].argmax() == 400
    assert np.isclose(spectrum[400] / spectrum[200], 0.5, atol=0.05)


def test_partials_above_half_the_rate_are_left_out() -> None:
    source = Source(weights=(0.0, 1.0), bias=0.0, f0_mean=0.0, f0_std=1.0, sigma=1e-9)
    f0 = np.full(10, 5000.0, np.float32)
    assert np.abs(Excitation(source, RATE, HOP).feed(f0, np.ones(10, np.float32))).max() < 1e-6


def test_unvoiced_is_noise_of_a_third_of_the_amplitude() -> None:
    wave = Excitation(SOURCE, RATE, HOP).feed(
        np.full(200, 200.0, np.float32), np.zeros(200, np.float32)
    )
    assert np.isclose(wave.std(), 0.1 / 3 * np.hypot(1.0, 0.5), rtol=0.05)
