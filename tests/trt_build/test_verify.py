"""The audio gate's judgement: a copy passes, every fault is caught, and by the right measure."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pytest
import soxr

from benchmarks.sentences import SENTENCES
from engines.session import Floats
from tests.trt_build.spoken import RATE, spoken
from trt_build.audio_measures import has_pesq
from trt_build.calibration import sentences
from trt_build.errors import BuildError
from trt_build.limits import LIMITS
from trt_build.verify import Verdict, held_out, judge

Fault = Callable[[Floats], Floats]
ROOT = Path(__file__).resolve().parents[2]
needs_pesq = pytest.mark.skipif(not has_pesq(), reason="the package pesq is not installed")


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pesq, as where it cannot be compiled."""
    monkeypatch.setitem(sys.modules, "pesq", None)


def verdict_on(fault: Fault, waves: Sequence[Floats] | None = None, rate: int = RATE) -> Verdict:
    waves = waves or spoken()
    return judge(waves, [fault(wave.copy()) for wave in waves], rate)


def broken(verdict: Verdict) -> set[str]:
    """The measures whose limits were broken."""
    return {
        name
        for name, limit in LIMITS.items()
        if any(reason.startswith(f"{limit.title}, ") for reason in verdict.reasons)
    }


def noisy(decibels: float) -> Fault:
    def fault(wave: Floats) -> Floats:
        power = np.sqrt((wave.astype(np.float64) ** 2).mean())
        noise = np.random.default_rng(3).standard_normal(len(wave)) * power
        out: Floats = (wave + noise * 10.0 ** (-decibels / 20.0)).astype(np.float32)
        return out

    return fault


def low_passed(hertz: float) -> Fault:
    def fault(wave: Floats) -> Floats:
        spectrum = np.fft.rfft(wave)
        spectrum[int(len(spectrum) * hertz / (RATE / 2)) :] = 0.0
        out: Floats = np.fft.irfft(spectrum, len(wave)).astype(np.float32)
        return out

    return fault


def shifted(cents: float) -> Fault:
    """Played faster, then cut or filled up to the old length."""

    def fault(wave: Floats) -> Floats:
        faster: Floats = soxr.resample(wave, RATE * 2.0 ** (cents / 1200.0), RATE)
        return np.resize(faster, len(wave)).astype(np.float32)

    return fault


def saturated(wave: Floats) -> Floats:
    top = 0.4 * float(np.abs(wave).max())
    return np.clip(wave, -top, top)


def with_gaps(wave: Floats) -> Floats:
    """30 ms are missing at the loudest place of every half second."""
    for start in range(0, len(wave) - 480, RATE // 2):
        at = start + int(np.abs(wave[start : start + RATE // 2]).argmax())
        wave[at : at + 480] = 0.0
    return wave


def with_clicks(wave: Floats) -> Floats:
    wave[1000 :: RATE // 3] += 1.2 * np.abs(wave).max()
    return wave


def with_nan(wave: Floats) -> Floats:
    wave[-1] = np.nan
    return wave


FAULTS: dict[str, tuple[Fault, set[str]]] = {
    "noise at 20 dB": (noisy(20.0), {"mcd_db", "log_mel_db"}),
    "noise at 38 dB": (noisy(38.0), {"pesq"}),
    "nothing above 3 kHz": (low_passed(3000.0), {"mcd_db", "log_mel_db"}),
    "nothing above 7 kHz": (low_passed(7000.0), {"log_mel_db"}),
    "half a tone higher": (shifted(100.0), {"f0_shift_cents", "f0_cents"}),
    "saturated": (saturated, {"clipped"}),
    "gaps": (with_gaps, {"holes_ms"}),
    "clicks": (with_clicks, {"bursts_ms"}),
    "one sample is NaN": (with_nan, {"not_finite"}),
    "silent": (np.zeros_like, {"level_db", "holes_ms"}),
    "the end is missing": (lambda wave: wave[: int(0.8 * len(wave))], {"length", "holes_ms"}),
    "nothing at all": (lambda wave: wave[:0], {"length", "level_db"}),
    "2 dB softer": (lambda wave: wave * np.float32(0.794), {"level_db"}),
    "direct current": (lambda wave: wave + np.float32(0.02), {"dc"}),
    "another sentence": (lambda wave: wave[::-1].copy(), {"mcd_db", "f0_cents"}),
}


def test_a_copy_passes_with_perfect_scores() -> None:
    verdict = verdict_on(lambda wave: wave)
    assert verdict.passed
    assert not verdict.reasons
    assert verdict.strain == pytest.approx(0.0, abs=1e-3)
    assert verdict.mean["mcd_db"] == verdict.worst["log_mel_db"] == 0.0
    assert verdict.worst["stoi"] == pytest.approx(1.0)
    assert len(verdict.sentences) == len(spoken())


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_caught_by_the_right_measure(name: str) -> None:
    fault, expected = FAULTS[name]
    if "pesq" in expected and not has_pesq():
        expected = {"mcd_db"}  # by its stricter limit
    verdict = verdict_on(fault)
    assert not verdict.passed
    assert verdict.strain > 1.0
    assert expected <= broken(verdict)


@pytest.mark.usefixtures("deaf")
@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_caught_without_pesq(name: str) -> None:
    verdict = verdict_on(FAULTS[name][0], spoken()[:2])
    assert not verdict.passed
    assert "pesq" not in verdict.mean
    assert any("'.[pesq]'" in line for line in verdict.unmeasured)


@pytest.mark.usefixtures("deaf")
def test_what_nobody_hears_passes_without_pesq() -> None:
    verdict = verdict_on(noisy(50.0))
    assert verdict.passed
    assert verdict.strict


@needs_pesq
def test_noise_that_nobody_hears_passes() -> None:
    verdict = verdict_on(noisy(48.0))
    assert verdict.passed
    assert not verdict.strict
    assert verdict.worst["pesq"] > LIMITS["pesq"].mean  # type: ignore[operator]


@needs_pesq
def test_one_bad_sentence_among_good_ones_fails() -> None:
    waves = list(spoken())
    other = [*waves[:-1], noisy(35.0)(waves[-1])]
    verdict = judge(waves, other, RATE)
    assert verdict.mean["pesq"] > 4.0
    assert not verdict.passed
    assert verdict.worst_sentence == len(waves) - 1
    assert any(f"sentence {len(waves)}:" in reason for reason in verdict.reasons)


@needs_pesq
def test_a_sentence_in_which_pesq_finds_no_speech_must_meet_the_strict_limits() -> None:
    random = np.random.default_rng(5)
    short = (0.1 * random.standard_normal(3000)).astype(np.float32)
    worse = (short + 0.02 * random.standard_normal(3000)).astype(np.float32)
    waves = list(spoken())
    verdict = judge([*waves, short], [*waves, worse], RATE)
    last = verdict.sentences[-1]
    assert "pesq" not in last
    assert LIMITS["log_mel_db"].strain(last["log_mel_db"], LIMITS["log_mel_db"].worst) < 1.0
    assert not verdict.strict
    assert broken(verdict) == {"log_mel_db"}
    assert any(f"PESQ-WB in 1 of {len(waves) + 1}" in line for line in verdict.unmeasured)


@pytest.mark.parametrize("rate", [24_000, 48_000])
def test_other_rates(rate: int) -> None:
    waves: list[Floats] = [soxr.resample(wave, RATE, rate) for wave in spoken()[:2]]
    assert verdict_on(lambda wave: wave, waves, rate).passed
    assert not verdict_on(noisy(30.0), waves, rate).passed


def test_what_cannot_be_compared_is_refused() -> None:
    waves = list(spoken()[:2])
    nothing: Floats = np.zeros(0, np.float32)
    pairs: list[tuple[list[Floats], list[Floats]]] = [
        ([], []),
        (waves, waves[:1]),
        ([nothing], [nothing]),
        ([with_nan(waves[0].copy())], waves[:1]),
    ]
    for reference, candidate in pairs:
        with pytest.raises(BuildError) as refused:
            judge(reference, candidate, RATE)
        assert refused.value.code == "not_comparable"


def test_a_missing_package_is_told_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pystoi", None)
    with pytest.raises(BuildError, match=r"\.\[cpu,build\]") as refused:
        verdict_on(lambda wave: wave)
    assert refused.value.code == "prove_missing"


# --- limits


@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_sound(name: str) -> None:
    limit = LIMITS[name]
    assert len(limit.reason) > 5
    for mean, worst in (
        (limit.mean, limit.worst),
        (limit.mean_limit(strict=True), limit.worst_limit(strict=True)),
    ):
        if mean is None or worst is None:
            assert mean is worst is None
            continue
        assert worst == mean or limit.strain(worst, mean) > 1.0
        assert limit.strain(limit.best, mean) == 0.0
    for relaxed, strict in (
        (limit.mean, limit.strict_mean),
        (limit.worst, limit.strict_worst),
    ):
        if strict is not None:
            assert limit.strain(strict, relaxed) < 1.0


def test_strain_counts_from_a_perfect_copy() -> None:
    assert LIMITS["stoi"].strain(0.97, 0.985) == pytest.approx(2.0)
    assert LIMITS["mcd_db"].strain(0.5, 1.0) == 0.5
    assert LIMITS["not_finite"].strain(0.1, 0.0) == math.inf


# --- the sentences


def test_held_out_sentences_are_of_all_lengths() -> None:
    texts = held_out()
    lengths = [len(text) for text in texts]
    assert len(texts) == len(set(texts)) == 24
    assert sum(length <= 5 for length in lengths) >= 4
    assert sum(length >= 90 for length in lengths) == 1


def test_held_out_sentences_are_like_none_that_anything_was_made_with() -> None:
    words = (ROOT / "training/held_out.txt").read_text("utf-8").splitlines()
    known = [*sentences(), *SENTENCES, *words]
    for text in held_out():
        assert text not in known
        for other in known:
            match = SequenceMatcher(None, text, other, autojunk=False)
            close = match.quick_ratio() > 0.7 and match.ratio() > 0.7
            assert not close, f"{text} is much like {other}"
