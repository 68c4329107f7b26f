"""How far synthetic speech is from a recording of the same word.

Mel-cepstral distortion (Kubichek 1993): cepstra as the package mel-cepstral-distance 0.0.4 computes
them (16 kHz, peak-normalised, 32 ms Hanning windows every 8 ms, 20 mel bands from 0 to 8 kHz, no
silence removed), coefficients 1 to 13 (its s=0, D=13), aligned by exact dynamic time warping on
those, mean over the path. The package leaves the cepstra unscaled; here they are brought to the
customary scale, 10 / ln 10 * sqrt(2 * sum of squared differences), the RMS difference of the two
smoothed spectra in dB. f0 is WORLD's (dio, stonemask), compared along the same path.
Cepstra this fine see some of the pitch, so the path hides part of a shift within a glide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from mel_cepstral_distance import get_amplitude_spectrogram, get_mel_spectrogram, get_mfccs
from scipy.io import wavfile

from training.features import SAMPLE_RATE, Floats, pitch

DEFINITION = (
    "mel-cepstral-distance 0.0.4 cepstra (16 kHz, 32 ms Hanning, hop 8 ms, 20 mels, peak "
    "normalised), coefficients 1-13, exact DTW, 10/ln10*sqrt(2*sum d^2) dB; f0: WORLD dio+stonemask"
)
WINDOW_MS, HOP_MS, BANDS, COEFFICIENTS = 32, 8, 20, 13
TO_DECIBELS = 10.0 * math.sqrt(2.0) / BANDS
HOP = HOP_MS * SAMPLE_RATE // 1000
CENTRE = WINDOW_MS // HOP_MS // 2
Doubles = npt.NDArray[np.float64]
Path2 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the measures look at: cepstra (T, 13) as the package scales them, f0 (T,) in Hz or 0."""

    cepstra: Doubles
    f0: Floats


@dataclass(frozen=True, slots=True)
class Comparison:
    """One word. log_f0 (N, 2): recording and synthesis, in cents, where both are voiced.

    mcd in dB; voicing_error: share of the path where only one of the two is voiced; length: of the
    synthesis as a multiple of the recording's.
    """

    mcd: float
    log_f0: Doubles
    voicing_error: float
    length: float

    @property
    def f0_correlation(self) -> float:
        """Pearson's, within this word; NaN where f0 stands still or is missing."""
        return correlation(self.log_f0)

    @property
    def f0_rmse(self) -> float:
        """In cents; NaN where nothing is voiced in both."""
        return rmse(self.log_f0)


def analyse(wave: Floats) -> Analysis:
    """Cepstra and f0 of 16 kHz mono audio; at least 50 ms that are not all zeros."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "word.wav"
        wavfile.write(path, SAMPLE_RATE, wave.astype(np.float32))
        spectrum = get_amplitude_spectrogram(
            path, n_fft=WINDOW_MS, win_len=WINDOW_MS, hop_len=HOP_MS
        )
    mel = get_mel_spectrogram(spectrum, SAMPLE_RATE, WINDOW_MS, M=BANDS)
    cepstra = get_mfccs(mel)[:COEFFICIENTS].T
    f0 = pitch(wave, HOP)[CENTRE:][: len(cepstra)]
    return Analysis(cepstra, np.pad(f0, (0, len(cepstra) - len(f0))))


def warping_path(a: Doubles, b: Doubles) -> Path2:
    """The alignment (N, 2) of rows of a and b with the least summed Euclidean distance."""
    cost: Doubles = np.sqrt(((a[:, None] - b[None]) ** 2).sum(2))
    total: Doubles = np.full((len(a) + 1, len(b) + 1), np.inf)
    total[0, 0] = 0.0
    for i in range(len(a)):
        above, row = total[i].tolist(), [math.inf]
        for j, distance in enumerate(cost[i].tolist()):
            row.append(distance + min(above[j], above[j + 1], row[j]))
        total[i + 1] = row
    i, j = len(a), len(b)
    path = [(i - 1, j - 1)]
    while (i, j) != (1, 1):
        steps = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
        i, j = min(steps, key=lambda step: float(total[step[0], step[1]]))
        path.append((i - 1, j - 1))
    return np.array(path[::-1])


def compare(recording: Analysis, synthesis: Analysis) -> Comparison:
    """All measures of one word."""
    path = warping_path(recording.cepstra, synthesis.cepstra)
    left, right = path.T
    difference = recording.cepstra[left] - synthesis.cepstra[right]
    f0 = np.stack([recording.f0[left], synthesis.f0[right]], 1).astype(np.float64)
    voiced = f0 > 0
    both = voiced.all(1)
    return Comparison(
        TO_DECIBELS * float(np.linalg.norm(difference, axis=1).mean()),
        1200.0 * np.log2(f0[both]),
        float((voiced[:, 0] != voiced[:, 1]).mean()),
        len(synthesis.f0) / len(recording.f0),
    )


def correlation(pairs: Doubles) -> float:
    """Pearson's correlation of the two columns; NaN where it is not defined."""
    if len(pairs) < 2 or (pairs.std(0) < 1e-9).any():
        return math.nan
    table: Doubles = np.asarray(np.corrcoef(pairs.T))
    return float(table[0, 1])


def rmse(pairs: Doubles) -> float:
    """Root mean square difference of the two columns; NaN where there are no rows."""
    return float(np.sqrt(((pairs[:, 0] - pairs[:, 1]) ** 2).mean())) if len(pairs) else math.nan


def summary(words: Sequence[Comparison]) -> dict[str, float]:
    """Means over words; f0 over the voiced frames of all words together."""
    pairs = np.concatenate([w.log_f0 for w in words])
    return {
        "mcd_db": float(np.mean([w.mcd for w in words])),
        "mcd_db_p90": float(np.percentile([w.mcd for w in words], 90)),
        "f0_correlation": correlation(pairs),
        "f0_rmse_cents": rmse(pairs),
        "voicing_error": float(np.mean([w.voicing_error for w in words])),
        "length_ratio": float(np.mean([w.length for w in words])),
    }
