from __future__ import annotations

import numpy as np
import torch

from training.corpus import Corpus
from training.features import mel_spectrogram
from training.losses import SpectralLoss, discriminator_loss, feature_loss
from training.source import harmonics
from training.vocoder import Segments


def test_segments_line_up_with_the_recording(corpus: Corpus) -> None:
    segments = Segments(corpus, 24, torch.device("cpu"))
    mel, f0, voiced, wave = segments(4, 0, 1)
    assert mel.shape == (4, 80, 24)
    assert f0.shape == voiced.shape == (4, 24)
    assert wave.shape == (4, 24 * 200)
    again = segments(4, 0, 1)
    assert all(torch.equal(a, b) for a, b in zip((mel, f0, voiced, wave), again, strict=True))
    assert not torch.equal(wave, segments(4, 0, 2)[3])
    inside = slice(6, -6)  # windows that reach beyond the cut see other samples
    for cut, sound in zip(mel, wave, strict=True):
        mean, std = np.array(corpus.stats.mel_mean), np.array(corpus.stats.mel_std)
        raw = cut.T.numpy() * std + mean
        np.testing.assert_allclose(raw[inside], mel_spectrogram(sound.numpy())[inside], atol=0.01)


def test_harmonics_are_sines_of_f0_and_its_overtones() -> None:
    torch.manual_seed(0)
    out = harmonics(torch.full((1, 80), 500.0), torch.ones(1, 80), 15, 200, 16_000)
    assert out.shape == (1, 16, 16_000)
    spectra = torch.fft.rfft(out[0]).abs()
    assert spectra.argmax(1).tolist()[:15] == [500 * k for k in range(1, 16)]
    beyond = out[0, 15].abs().max()  # 8000 Hz is half the rate: noise only
    assert beyond < 0.03 < out[0, 0].abs().max()


def test_unvoiced_excitation_is_noise() -> None:
    torch.manual_seed(0)
    out = harmonics(torch.full((1, 40), 200.0), torch.zeros(1, 40), 3, 200, 16_000)
    assert 0.03 < out.std() < 0.037
    assert abs(float(out.mean())) < 0.005


def test_spectral_loss_is_nothing_for_the_same_wave_and_grows_with_noise() -> None:
    torch.manual_seed(0)
    loss, real = SpectralLoss(), 0.1 * torch.randn(1, 4800)
    little, much = (loss(real + a * torch.randn(1, 4800), real) for a in (0.01, 0.05))
    assert loss(real, real) < 1e-5
    assert 0.01 < little < much


def test_judges_are_content_when_real_is_one_and_fake_nothing() -> None:
    one, none = [torch.ones(2, 5)], [torch.zeros(2, 5)]
    assert discriminator_loss(one, none) == 0
    assert discriminator_loss(none, one) == 2
    assert feature_loss([one], [none]) == 1
