"""How far one utterance is from another that should sound the same, measure by measure.

Both are mono; all but the log-mel distance looks at them at 16 kHz. NaN is the value of a measure
that cannot be had of a pair, such as PESQ of a wave in which it finds no speech.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from engines.session import Floats
from trt_build.errors import BuildError
from trt_build.mel import Doubles, cepstra, decibels, mel_power

RATE = 16_000  # Hz
HOP_S = 0.008
MEL_BANDS, CEPSTRUM_BANDS, COEFFICIENTS = 40, 20, 13
HEARD_DB = 45.0  # below the loudest frame a frame is pause
F0_FLOOR, F0_CEIL = 70.0, 600.0  # Hz
GROSS_CENTS = 316.0  # 20 %; more is another octave or no pitch at all (Chu and Alwan 2009)
DOUBT_DB, DOUBT_CENTS = 40.0, 20.0
SUREST_S = 0.1
MOMENT_S = 0.01  # what holes and bursts are made of
LOUD_DB, HOLE_DB, BURST_DB = 30.0, 15.0, 10.0
CLIPPED = 0.999
SILENT = 1e-5
FLAT_SAMPLES = 4
PESQ_PIECE_S = 12.0  # P.862 is made for 8 to 12 s and keeps room for 50 utterances
PESQ_SHORTEST_S = 0.25
STOI_SHORTEST_S = 0.5
LIKENESS = 0.5  # correlation below which the phases have nothing to do with each other


class Sound:
    """One utterance (n,) at `rate` Hz, and what the measures see in it, worked out once.

    Samples that are no numbers count as 0.
    """

    def __init__(self, wave: Floats, rate: int) -> None:
        self.finite = np.isfinite(wave)
        self.wave: Floats = np.where(self.finite, wave, 0.0).astype(np.float32)
        self.rate = rate

    @cached_property
    def at_16k(self) -> Floats:
        """The same at 16 kHz."""
        if self.rate == RATE:
            return self.wave
        out: Floats = soxr.resample(self.wave, self.rate, RATE, quality="VHQ")
        return out

    @cached_property
    def mel(self) -> Doubles:
        """Mel power (T, 40) up to half the rate."""
        return mel_power(self.wave, self.rate, MEL_BANDS, HOP_S)

    @cached_property
    def coarse(self) -> Doubles:
        """Mel power (T, 20) up to 8 kHz."""
        return mel_power(self.at_16k, RATE, CEPSTRUM_BANDS, HOP_S)

    @cached_property
    def moments(self) -> Doubles:
        """Level in dB of full scale of every 10 ms, 5 ms apart."""
        size = round(MOMENT_S * RATE)
        padded = np.pad(self.at_16k.astype(np.float64), (0, size))
        cut = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 2]
        out: Doubles = 10.0 * np.log10(np.maximum((cut**2).mean(1), 1e-12))
        return out

    @cached_property
    def f0(self) -> Doubles:
        """Hz every 8 ms, 0 where unvoiced."""
        return track_f0(self.at_16k)

    @cached_property
    def sure(self) -> npt.NDArray[np.bool_]:
        """The frames of f0 that noise 40 dB below the speech does not move."""
        noise = np.random.default_rng(0).standard_normal(len(self.at_16k))
        again = track_f0(self.at_16k + noise * rms(self.at_16k) * 10.0 ** (-DOUBT_DB / 20.0))
        still = np.abs(cents(self.f0, again)) < DOUBT_CENTS
        out: npt.NDArray[np.bool_] = np.where((self.f0 > 0) & (again > 0), still, self.f0 == again)
        return out


def track_f0(wave: npt.NDArray[Any]) -> Doubles:
    """WORLD's dio and stonemask (Morise 2016) on 16 kHz audio: Hz every 8 ms, 0 where unvoiced."""
    pyworld = prove("pyworld")
    x = wave.astype(np.float64)
    span = {"f0_floor": F0_FLOOR, "f0_ceil": F0_CEIL, "frame_period": 1000.0 * HOP_S}
    coarse, times = pyworld.dio(x, RATE, **span)
    out: Doubles = pyworld.stonemask(x, coarse, times, RATE)
    return out


def cents(reference: Doubles, candidate: Doubles) -> Doubles:
    """By how much the candidate is higher, in cents; 0 where either is 0."""
    both = (reference > 0) & (candidate > 0)
    return 1200.0 * np.log2(np.where(both, candidate, 1.0) / np.where(both, reference, 1.0))


def prove(name: str) -> Any:
    """A package of the extra `prove`.

    Raises:
        BuildError: prove_missing.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise BuildError(
            "prove_missing",
            f"{name} is not installed, which the audio gate measures with; in a checkout "
            "of sambertd run `pip install './client' '.[cpu,build]'`",
        ) from error


def compare(reference: Sound, candidate: Sound) -> dict[str, float]:
    """All measures of one pair, by the names in trt_build/limits.py.

    Moments are compared with moments: a candidate of another length is cut or filled up with
    silence, and where it speaks at another pace the measures say so.
    """
    longer = len(candidate.wave) / len(reference.wave) - 1.0
    fitted = candidate if not longer else Sound(_fitted(candidate, reference), reference.rate)
    pitch = f0_distance(reference, fitted)
    holes, bursts = dropouts(reference.moments, fitted.moments)
    return {
        "pesq": pesq_wb(reference.at_16k, fitted.at_16k),
        "stoi": stoi(reference.at_16k, fitted.at_16k),
        "mcd_db": mel_cepstral_distortion(reference.coarse, fitted.coarse),
        "log_mel_db": log_mel_distance(reference.mel, fitted.mel),
        "f0_cents": pitch.rms,
        "f0_shift_cents": pitch.shift,
        "voicing_error": pitch.voicing_error,
        "level_db": level(reference.wave, candidate.wave),
        "length": abs(longer),
        "holes_ms": holes,
        "bursts_ms": bursts,
        "clipped": max(0.0, clipping(fitted.wave) - clipping(reference.wave)),
        "dc": abs(mean(fitted.wave) - mean(reference.wave)),
        "not_finite": 1.0 - float(candidate.finite.mean()) if len(candidate.wave) else 0.0,
        "snr_db": snr(reference.wave, fitted.wave),
    }


def _fitted(candidate: Sound, reference: Sound) -> Floats:
    out = np.zeros(len(reference.wave), np.float32)
    wave = candidate.wave[: len(out)]
    out[: len(wave)] = wave
    return out


def _heard(reference: Doubles, candidate: Doubles) -> npt.NDArray[np.bool_]:
    """The frames (T,) in which either says something."""
    loudness = np.maximum(reference.sum(1), candidate.sum(1))
    out: npt.NDArray[np.bool_] = loudness > reference.sum(1).max() * 10.0 ** (-HEARD_DB / 10.0)
    return out


def log_mel_distance(reference: Doubles, candidate: Doubles) -> float:
    """RMS difference in dB over mel bands (T, B) of power, mean over the frames that are heard."""
    return float(log_mel_frames(reference, candidate).mean())


def log_mel_frames(reference: Doubles, candidate: Doubles) -> Doubles:
    """The same frame by frame, those alone that are heard."""
    heard, loudest = _heard(reference, candidate), float(reference.max())
    gap = decibels(reference[heard], loudest) - decibels(candidate[heard], loudest)
    out: Doubles = np.sqrt((gap**2).mean(1)) if len(gap) else np.zeros(1)
    return out


def mel_cepstral_distortion(reference: Doubles, candidate: Doubles) -> float:
    """Mel-cepstral distortion in dB (Kubichek 1993), coefficients 1 to 13 of 20 bands (T, 20)."""
    heard, loudest = _heard(reference, candidate), float(reference.max())
    if not heard.any():
        return 0.0
    left, right = (decibels(x[heard], loudest) for x in (reference, candidate))
    gap = cepstra(left, COEFFICIENTS) - cepstra(right, COEFFICIENTS)
    return float(np.linalg.norm(gap, axis=1).mean())


@dataclass(frozen=True, slots=True)
class Pitch:
    """rms: difference in cents. shift: its median, without sign. voicing_error: a share."""

    rms: float
    shift: float
    voicing_error: float


def f0_distance(reference: Sound, candidate: Sound) -> Pitch:
    """How far the pitch is off, by the frames of which the reference is sure.

    voicing_error is the f0 frame error of Chu and Alwan (2009): of those frames the share where
    only one is voiced or where the two are more than 20 % apart, which do not count for rms. NaN if
    the reference has less than a tenth of a second with a sure pitch.
    """
    frames = min(len(reference.f0), len(candidate.f0))
    sure = reference.sure[:frames]
    left, right = reference.f0[:frames][sure], candidate.f0[:frames][sure]
    voiced, both = left > 0, (left > 0) & (right > 0)
    if voiced.sum() * HOP_S < SUREST_S:
        return Pitch(math.nan, math.nan, math.nan)
    gap = cents(left, right)
    fine = both & (np.abs(gap) < GROSS_CENTS)
    error = float((fine != (voiced | (right > 0))).sum() / len(sure[sure]))
    spread = rms(gap[fine]) if fine.any() else math.nan
    shift = abs(float(np.median(gap[both]))) if both.any() else math.nan
    return Pitch(spread, shift, error)


def dropouts(reference: Doubles, candidate: Doubles) -> tuple[float, float]:
    """Milliseconds where the candidate is missing, and where it is much too loud; levels in dB."""
    loud = max(float(reference.max()), -80.0) - LOUD_DB
    gap = candidate - reference
    step = 500.0 * MOMENT_S
    holes = (reference > loud) & (gap < -HOLE_DB)
    bursts = (candidate > loud) & (gap > BURST_DB)
    return step * float(holes.sum()), step * float(bursts.sum())


def level(reference: Floats, candidate: Floats) -> float:
    """How much louder or softer the candidate is, in dB."""
    ratio = max(rms(candidate), 1e-6) / max(rms(reference), 1e-6)
    return abs(20.0 * math.log10(ratio))


def rms(wave: npt.NDArray[Any]) -> float:
    """Root mean square."""
    return math.sqrt(float((wave.astype(np.float64) ** 2).mean())) if len(wave) else 0.0


def mean(wave: Floats) -> float:
    """The direct current in it."""
    return float(wave.mean(dtype=np.float64)) if len(wave) else 0.0


def clipping(wave: Floats) -> float:
    """Share of samples at full scale, or in flat tops: at least 4 equal samples well above 0."""
    loud = np.abs(wave)
    same = np.concatenate([[False], np.diff(wave) == 0.0]) & (loud > 0.5 * loud.max(initial=0.0))
    run = np.lib.stride_tricks.sliding_window_view(
        np.pad(same, (0, FLAT_SAMPLES - 2)), FLAT_SAMPLES - 1
    )
    flat = int(run.all(1).sum())
    return (int((loud >= CLIPPED).sum()) + flat) / max(1, len(wave))


def snr(reference: Floats, candidate: Floats) -> float:
    """Signal-to-noise ratio of the samples in dB; NaN where the phases do not agree."""
    a, b = reference.astype(np.float64), candidate.astype(np.float64)
    power = math.sqrt(float((a**2).sum() * (b**2).sum()))
    if power == 0.0 or float((a * b).sum()) / power < LIKENESS:
        return math.nan
    return 10.0 * math.log10(float((a**2).sum()) / max(float(((a - b) ** 2).sum()), 1e-12))


def stoi(reference: Floats, candidate: Floats) -> float:
    """Short-time objective intelligibility (Taal 2011), 0 to 1; NaN for less than half a second of
    speech. 16 kHz, equal lengths."""
    pystoi = prove("pystoi")
    if len(reference) < STOI_SHORTEST_S * RATE or rms(reference) < SILENT:
        return math.nan
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        value = float(pystoi.stoi(reference, candidate, RATE))
    short = any("Not enough STFT frames" in str(warning.message) for warning in said)
    return math.nan if short or not math.isfinite(value) else value


def has_pesq() -> bool:
    """Whether PESQ can be measured here."""
    try:
        import_module("pesq")
    except ImportError:
        return False
    return True


def pesq_wb(reference: Floats, candidate: Floats) -> float:
    """PESQ-WB (ITU-T P.862.2), 1.02 to 4.64, long ones in pieces; NaN where it finds no speech or
    is not installed. 16 kHz, equal lengths."""
    if not has_pesq():
        return math.nan
    count = max(1, math.ceil(len(reference) / (PESQ_PIECE_S * RATE)))
    pairs = zip(np.array_split(reference, count), np.array_split(candidate, count), strict=True)
    scores = [score for a, b in pairs if math.isfinite(score := _pesq_piece(a, b))]
    return float(np.mean(scores)) if scores else math.nan


def _pesq_piece(reference: Floats, candidate: Floats) -> float:
    pesq = import_module("pesq")
    if len(reference) < PESQ_SHORTEST_S * RATE or min(rms(reference), rms(candidate)) < SILENT:
        return math.nan
    try:
        return float(pesq.pesq(RATE, reference, candidate, "wb"))
    except pesq.PesqError:
        return math.nan
