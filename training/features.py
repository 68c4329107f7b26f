"""Acoustic features as KAN-TTS computes them (audio_config_16k.yaml), on 16 kHz mono float audio.

16 kHz, hop 200, window 1000 (Hann, centred), FFT 2048, 80 Slaney mels from 0 to 8 kHz, magnitude in
dB less 20, mapped from [-100, 0] dB to [0, 1]. f0 by WORLD (Morise 2016: dio and stonemask).
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import cast

import librosa
import numpy as np
import numpy.typing as npt

with warnings.catch_warnings():
    # pyworld asks setuptools for its own version, which setuptools 80 deplores.
    warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
    import pyworld

Floats = npt.NDArray[np.float32]

SAMPLE_RATE = 16_000
HOP = 200
WIN = 1000
N_FFT = 2048
N_MELS = 80
MIN_DB = -100.0
REF_DB = 20.0
F0_FLOOR = 80.0
F0_CEIL = 500.0


@cache
def mel_basis() -> Floats:
    """Filter bank (80, 1025)."""
    basis = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=N_FFT, n_mels=N_MELS, fmin=0.0, fmax=8000.0)
    return cast(Floats, basis.astype(np.float32))


def mel_spectrogram(wave: Floats) -> Floats:
    """Mel (T, 80) in [0, 1]; T = len(wave) // 200, frame i centred on sample 200 * i."""
    magnitude = np.abs(
        librosa.stft(y=wave, n_fft=N_FFT, hop_length=HOP, win_length=WIN, pad_mode="reflect")
    )
    db = 20.0 * np.log10(np.maximum(1e-5, mel_basis() @ magnitude)) - REF_DB
    mel: Floats = np.clip((db - MIN_DB) / -MIN_DB, 0.0, 1.0).T.astype(np.float32)
    return mel[: len(wave) // HOP]


def pitch(wave: Floats, hop: int = HOP) -> Floats:
    """f0 in Hz every `hop` samples (len(wave) // hop,), 0 where unvoiced."""
    x = wave.astype(np.float64)
    period_ms = 1000.0 * hop / SAMPLE_RATE
    coarse, times = pyworld.dio(
        x, SAMPLE_RATE, f0_floor=F0_FLOOR, f0_ceil=F0_CEIL, frame_period=period_ms
    )
    f0 = pyworld.stonemask(x, coarse, times, SAMPLE_RATE)
    frames = len(wave) // hop
    out = np.zeros(frames, np.float32)
    n = min(frames, len(f0))
    out[:n] = f0[:n]
    return out


def fill_unvoiced(f0: Floats) -> Floats:
    """f0 with unvoiced stretches bridged linearly; all zeros stay zeros."""
    voiced = np.flatnonzero(f0 > 0)
    if len(voiced) == 0:
        return f0.copy()
    return np.interp(np.arange(len(f0)), voiced, f0[voiced]).astype(np.float32)
