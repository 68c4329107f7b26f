from __future__ import annotations

import librosa
import numpy as np
import numpy.typing as npt
import pytest

from training import features
from training.audio import level, trim

Floats = npt.NDArray[np.float32]


def hum(hz: float, seconds: float) -> Floats:
    phase = 2 * np.pi * hz * np.arange(int(seconds * features.SAMPLE_RATE)) / features.SAMPLE_RATE
    wave = sum(np.sin(k * phase) / k for k in range(1, 10))
    return (0.1 * wave).astype(np.float32)  # type: ignore[union-attr]


def test_mel_equals_an_independent_computation() -> None:
    noise = np.random.default_rng(0).standard_normal(8000) * 0.05
    wave = (noise + hum(220, 0.5)).astype(np.float32)
    amplitude = librosa.feature.melspectrogram(
        y=wave,
        sr=16_000,
        n_fft=2048,
        hop_length=200,
        win_length=1000,
        power=1.0,
        n_mels=80,
        fmin=0,
        fmax=8000,
        pad_mode="reflect",
    )
    db = librosa.amplitude_to_db(amplitude, ref=1.0, amin=1e-5, top_db=None) - 20
    wanted = np.clip(1 + db / 100, 0, 1).T[:40]
    assert features.mel_spectrogram(wave).shape == (40, 80)
    np.testing.assert_allclose(features.mel_spectrogram(wave), wanted, atol=1e-5)


@pytest.mark.parametrize("hz", [110.0, 240.0, 400.0])
def test_pitch_of_a_hum(hz: float) -> None:
    f0 = features.pitch(hum(hz, 0.5))
    assert f0.shape == (40,)
    assert (f0 > 0).mean() > 0.8
    assert abs(np.median(f0[f0 > 0]) / hz - 1) < 0.01


def test_noise_is_unvoiced() -> None:
    noise = np.random.default_rng(1).standard_normal(8000).astype(np.float32) * 0.1
    assert (features.pitch(noise) > 0).mean() < 0.2


def test_fill_unvoiced_bridges_gaps() -> None:
    f0 = np.array([0, 100, 0, 0, 160, 0], np.float32)
    np.testing.assert_allclose(features.fill_unvoiced(f0), [100, 100, 120, 140, 160, 160])
    assert features.fill_unvoiced(np.zeros(3, np.float32)).tolist() == [0, 0, 0]


def test_trim_keeps_a_breath_and_whole_frames() -> None:
    quiet = np.zeros(16_000, np.float32)
    cut = trim(np.concatenate([quiet, hum(200, 0.5), quiet]))
    assert len(cut) % features.HOP == 0
    assert 0.5 < len(cut) / 16_000 < 0.5 + 0.05 + 0.075 + 0.1


def test_level_brings_loud_and_soft_to_one_rms_without_clipping() -> None:
    wave = hum(200, 0.5)
    soft, loud = level(wave * 0.01), level(wave * 3)
    np.testing.assert_allclose(soft, loud, rtol=1e-3, atol=1e-6)
    assert np.abs(loud).max() <= 0.95
    assert level(np.zeros(1000, np.float32)).max() == 0
