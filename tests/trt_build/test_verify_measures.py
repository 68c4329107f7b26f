"""The gate's measures against what is known otherwise: tones, gains, noise, another package."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soxr

from benchmarks.measures import analyse
from benchmarks.measures import compare as compare_words
from engines.session import Floats
from tests.trt_build.spoken import RATE, spoken
from trt_build.audio_measures import Sound, clipping, compare, has_pesq, snr
from trt_build.mel import cepstra, filter_bank, mel_power

SECOND = np.arange(RATE) / RATE


def tone(hertz: float, seconds: float = 1.0) -> Floats:
    """A voice-like sum of ten partials."""
    time = np.arange(int(seconds * RATE)) / RATE
    partials = [np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 11)]
    out: Floats = (0.1 * np.sum(partials, axis=0)).astype(np.float32)
    return out


def noise(count: int, rms: float, seed: int = 1) -> Floats:
    return (np.random.default_rng(seed).standard_normal(count) * rms).astype(np.float32)


def speech() -> Floats:
    return spoken()[1]


def measured(reference: Floats, candidate: Floats, rate: int = RATE) -> dict[str, float]:
    return compare(Sound(reference, rate), Sound(candidate, rate))


def test_a_perfect_copy() -> None:
    figures = measured(speech(), speech().copy())
    assert figures.pop("stoi") == pytest.approx(1.0, abs=1e-6)
    assert figures.pop("snr_db") > 100.0
    pesq = figures.pop("pesq")
    assert pesq == pytest.approx(4.6439, abs=1e-3) if has_pesq() else math.isnan(pesq)
    assert set(figures.values()) == {0.0}


@pytest.mark.parametrize("cents", [20.0, 50.0, -100.0])
def test_f0_of_tones(cents: float) -> None:
    figures = measured(tone(200.0), tone(200.0 * 2.0 ** (cents / 1200.0)))
    assert figures["f0_cents"] == pytest.approx(abs(cents), abs=8.0)
    assert figures["f0_shift_cents"] == pytest.approx(abs(cents), abs=1.0)
    assert figures["voicing_error"] < 0.05


def test_an_octave_is_no_pitch_error_but_a_voicing_error() -> None:
    figures = measured(tone(150.0), tone(300.0))
    assert figures["voicing_error"] > 0.8
    assert figures["f0_shift_cents"] == pytest.approx(1200.0, abs=20.0)


def test_voicing_that_is_lost() -> None:
    half = tone(200.0, 2.0)
    half[RATE:] = noise(RATE, 0.02)
    figures = measured(tone(200.0, 2.0), half)
    assert figures["voicing_error"] == pytest.approx(0.5, abs=0.06)
    assert figures["f0_cents"] < 5.0


def test_noise_has_no_sure_pitch() -> None:
    wave = noise(RATE, 0.1)
    figures = measured(wave, wave + noise(RATE, 0.001, seed=2))
    assert math.isnan(figures["f0_cents"])
    assert math.isnan(figures["voicing_error"])


@pytest.mark.parametrize("coefficient", [1, 5, 13])
def test_distortion_of_a_known_cepstral_shift(coefficient: int) -> None:
    bands = np.arange(20) + 0.5
    levels = np.random.default_rng(0).normal(-30.0, 5.0, (7, 20))
    shifted = levels + 3.0 * np.cos(math.pi * coefficient * bands / 20)
    gap = cepstra(shifted, 13) - cepstra(levels, 13)
    assert np.linalg.norm(gap, axis=1) == pytest.approx(np.full(7, 3.0 / math.sqrt(2.0)))
    assert np.flatnonzero(np.abs(gap[0]) > 1e-9).tolist() == [coefficient - 1]


def test_distortion_agrees_with_mel_cepstral_distance() -> None:
    """A package of other authors, as the benchmarks scale it; its alignment can only lower it."""
    wave = speech()
    spectrum = np.fft.rfft(wave)
    bins = np.arange(len(spectrum)) / len(spectrum)
    bent = np.fft.irfft(spectrum * 10 ** (0.1 * np.cos(8 * math.pi * bins)), len(wave))
    ours = measured(wave, bent.astype(np.float32))["mcd_db"]
    theirs = compare_words(analyse(wave), analyse(bent.astype(np.float32))).mcd
    assert ours == pytest.approx(theirs, rel=0.15)
    assert ours > 0.5


def test_filter_bank_covers_the_band_once() -> None:
    bank = filter_bank(RATE, 20)
    hertz = np.arange(bank.shape[1]) * RATE / 512
    inside = (hertz > 150.0) & (hertz < 6500.0)
    assert bank.sum(0)[inside] == pytest.approx(np.ones(inside.sum()))
    assert (bank.sum(1) > 0.0).all()


def test_a_tone_is_in_its_mel_band() -> None:
    power = mel_power(np.sin(2 * np.pi * 1000.0 * SECOND).astype(np.float32), RATE, 40, 0.008)
    edges = 700.0 * (10.0 ** (np.linspace(0.0, 2840.02, 42) / 2595.0) - 1.0)
    band = int(power[60].argmax())
    assert edges[band] < 1000.0 < edges[band + 2]
    assert len(power) == RATE // 128 + 1


@pytest.mark.parametrize("decibels", [-3.0, 0.5, 2.0])
def test_gain(decibels: float) -> None:
    figures = measured(speech(), speech() * np.float32(10.0 ** (decibels / 20.0)))
    assert figures["level_db"] == pytest.approx(abs(decibels), abs=1e-3)
    assert figures["log_mel_db"] == pytest.approx(abs(decibels), rel=0.15)
    assert figures["mcd_db"] < 0.4
    assert figures["voicing_error"] < 0.01


@pytest.mark.parametrize("decibels", [20.0, 30.0, 40.0])
def test_sample_snr_of_noise(decibels: float) -> None:
    wave = speech()
    power = math.sqrt(float((wave.astype(np.float64) ** 2).mean()))
    noisy = wave + noise(len(wave), power * 10.0 ** (-decibels / 20.0))
    assert snr(wave, noisy) == pytest.approx(decibels, abs=0.2)


def test_snr_is_not_told_of_another_phase() -> None:
    assert math.isnan(snr(tone(200.0), np.roll(tone(200.0), RATE // 400)))


def test_holes_and_bursts_in_milliseconds() -> None:
    wave, gap, burst = tone(200.0), tone(200.0), tone(200.0)
    gap[4000:4640] = 0.0  # 40 ms
    burst[4000:4320] += noise(320, 0.9)  # 20 ms
    assert measured(wave, gap)["holes_ms"] == pytest.approx(40.0, abs=10.0)
    assert measured(wave, gap)["bursts_ms"] == 0.0
    assert measured(wave, burst)["bursts_ms"] == pytest.approx(20.0, abs=10.0)
    assert measured(wave, burst)["holes_ms"] == 0.0


def test_clipping_counts_full_scale_and_flat_tops() -> None:
    sine = (0.9 * np.sin(2 * np.pi * 100.0 * SECOND)).astype(np.float32)
    assert clipping(sine) == 0.0
    assert clipping(np.clip(sine, -0.5, 0.5)) > 0.5
    loud = np.clip(1.2 * sine / 0.9, -1.0, 1.0).astype(np.float32)
    beyond = float((np.abs(1.2 * np.sin(2 * np.pi * 100.0 * SECOND)) >= 1.0).mean())
    assert clipping(loud) >= beyond


def test_direct_current_and_what_is_no_number() -> None:
    wave = speech()
    broken = wave.copy()
    broken[100:110] = np.nan
    broken[200:210] = np.inf
    figures = measured(wave, broken)
    assert figures["not_finite"] == pytest.approx(20 / len(wave))
    assert math.isfinite(figures["log_mel_db"])
    assert measured(wave, wave + np.float32(0.01))["dc"] == pytest.approx(0.01, abs=1e-5)


def test_length_and_too_short_for_intelligibility() -> None:
    wave = speech()
    assert measured(wave, wave[: len(wave) // 2])["length"] == pytest.approx(0.5, abs=1e-4)
    assert measured(wave, wave[:0])["length"] == 1.0
    assert math.isnan(measured(wave[8000:12000], wave[8000:12000])["stoi"])


@pytest.mark.parametrize("rate", [24_000, 48_000])
def test_noise_above_8_khz_is_heard_at_the_voices_own_rate(rate: int) -> None:
    wave: Floats = soxr.resample(speech(), RATE, rate)
    high = np.fft.rfft(noise(len(wave), 0.01))
    high[: int(len(high) * 9000 / (rate / 2))] = 0.0
    figures = measured(wave, (wave + np.fft.irfft(high, len(wave))).astype(np.float32), rate)
    assert figures["log_mel_db"] > 1.0
    assert figures["mcd_db"] < 0.1
    assert measured(wave, wave.copy(), rate)["log_mel_db"] == 0.0
