"""The audio gate's one table: what is measured, how far it may be off, and why that far.

The defaults mean that a listener who hears both, one after the other, would not say which is which.
Where they are not some law of hearing they were set on the built-in voice, against some hundred
graded degradations and quantizations; docs/adr/0004-audio-gate.md says how.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

PESQ_BEST = 4.6439


@dataclass(frozen=True, slots=True)
class Limit:
    """One measure's row.

    mean, worst: what the mean over the sentences and the worst sentence may be; None is no limit.
    strict_mean, strict_worst: the same where PESQ cannot be measured; None means as before. best:
    the value of a perfect copy; a measure whose limits lie below it is one that must not fall.
    digits: after the point, in tables.
    """

    title: str
    mean: float | None
    worst: float | None
    reason: str
    strict_mean: float | None = None
    strict_worst: float | None = None
    best: float = 0.0
    digits: int = 2

    @property
    def high_is_good(self) -> bool:
        """Whether a perfect copy has the highest value."""
        return self.best > 0.0

    def mean_limit(self, strict: bool) -> float | None:
        """Of the mean over sentences."""
        return self.strict_mean if strict and self.strict_mean is not None else self.mean

    def worst_limit(self, strict: bool) -> float | None:
        """Of each sentence."""
        return self.strict_worst if strict and self.strict_worst is not None else self.worst

    def strain(self, value: float, limit: float | None) -> float:
        """How much of what is allowed the value uses up: 1.0 at the limit, more beyond it."""
        if limit is None or value == self.best:
            return 0.0
        return abs(value - self.best) / abs(limit - self.best) if limit != self.best else math.inf


LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        "pesq": Limit(
            "PESQ-WB",
            4.0,
            3.5,
            "ITU-T P.862.2 against the FP32 wave, of at most 4.64: above 4 listeners call a change "
            "imperceptible or not annoying, and white noise at 45 dB already costs that much",
            best=PESQ_BEST,
        ),
        "stoi": Limit(
            "STOI",
            0.985,
            0.96,
            "intelligibility (Taal 2011): every word as clear as before",
            strict_mean=0.999,
            strict_worst=0.997,
            best=1.0,
            digits=4,
        ),
        "mcd_db": Limit(
            "mel-cepstral distortion, dB",
            1.0,
            1.5,
            "a quarter of the distance between the voice and its recordings; two takes of one "
            "speaker are further apart",
            strict_mean=0.4,
            strict_worst=0.6,
        ),
        "log_mel_db": Limit(
            "log-mel distance, dB",
            1.2,
            1.8,
            "about the least change of level in one band that is heard; up to half the voice's own "
            "rate, which PESQ does not see",
            strict_mean=0.6,
            strict_worst=0.9,
        ),
        "f0_cents": Limit(
            "f0 RMSE, cents",
            25.0,
            60.0,
            "an eighth of a tone: tones and intonation stay as they were",
            digits=1,
        ),
        "f0_shift_cents": Limit(
            "f0 shift, cents",
            5.0,
            10.0,
            "the least shift of pitch that trained listeners hear in a vowel",
            digits=1,
        ),
        "voicing_error": Limit(
            "voicing and octave errors, share",
            0.08,
            0.2,
            "of frames where the tracker itself is sure; more is heard as hoarse",
            digits=3,
        ),
        "level_db": Limit(
            "level, dB", 0.5, 1.0, "the least change of loudness that is heard is about 1 dB"
        ),
        "length": Limit(
            "length, share",
            0.01,
            0.02,
            "at equal durations it is 0; a change of pace is heard from 5 %",
            digits=4,
        ),
        "duration_ms": Limit(
            "duration of a symbol, ms",
            2.0,
            10.0,
            "before rounding to frames; in sentences 25 ms are just heard (Klatt 1976), of which "
            "rounding can take a frame of 12.5",
        ),
        "holes_ms": Limit(
            "missing, ms", 1.0, 5.0, "a gap of 10 ms in a vowel is heard as a click", digits=1
        ),
        "bursts_ms": Limit(
            "much too loud, ms", 2.0, 10.0, "clicks, and noise in stops and pauses", digits=1
        ),
        "clipped": Limit(
            "clipped, share of samples",
            0.0005,
            0.001,
            "beyond what FP32 clips: full scale, or flat tops of an activation that saturates",
            digits=5,
        ),
        "dc": Limit(
            "direct current, full scale",
            0.003,
            0.005,
            "it eats headroom and clicks where speech begins and ends",
            digits=4,
        ),
        "not_finite": Limit("NaN or infinite, share", 0.0, 0.0, "never right", digits=4),
        "snr_db": Limit(
            "sample SNR, dB",
            None,
            None,
            "told, not judged: a phase that nobody hears ruins it",
            best=math.inf,
            digits=1,
        ),
    }
)
