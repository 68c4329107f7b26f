"""Recordings in: decode, resample, trim silence, even out loudness."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import soundfile
import soxr

from training.features import HOP, SAMPLE_RATE, Floats

TRIM_DB = 40.0
KEEP_BEFORE_S = 0.05
KEEP_AFTER_S = 0.075
TARGET_RMS = 0.08
PEAK = 0.95


def load(path: Path) -> Floats:
    """Mono float32 at 16 kHz from any file libsndfile reads (MP3, WAV, FLAC, Ogg).

    Raises:
        soundfile.LibsndfileError: the file is no audio.
    """
    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = wave.mean(axis=1)
    return soxr.resample(mono, rate, SAMPLE_RATE).astype(np.float32)  # type: ignore[no-any-return]


def trim(wave: Floats) -> Floats:
    """The speech with a breath of silence around it, cut to whole frames."""
    _, (start, end) = librosa.effects.trim(wave, top_db=TRIM_DB, frame_length=800, hop_length=HOP)
    start = max(0, start - int(KEEP_BEFORE_S * SAMPLE_RATE))
    end = min(len(wave), end + int(KEEP_AFTER_S * SAMPLE_RATE))
    frames = (end - start) // HOP
    return wave[start : start + frames * HOP]


def level(wave: Floats) -> Floats:
    """The loud half of the frames brought to one RMS, without clipping."""
    frames = wave[: len(wave) // HOP * HOP].reshape(-1, HOP)
    power = np.sort((frames**2).mean(axis=1))
    rms = float(np.sqrt(power[len(power) // 2 :].mean())) if len(power) else 0.0
    if rms < 1e-5:
        return wave
    gain = min(TARGET_RMS / rms, PEAK / float(np.abs(wave).max()))
    return (wave * gain).astype(np.float32)
