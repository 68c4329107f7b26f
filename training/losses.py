"""Losses of the vocoder.

Multi-resolution STFT (Yamamoto et al. 2020, arXiv:1910.11480), log-mel, least-squares adversarial
and feature matching (Kong et al. 2020, arXiv:2010.05646).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.features import HOP, N_FFT, WIN, mel_basis

RESOLUTIONS = ((256, 50, 200), (512, 100, 400), (1024, 200, 800), (2048, 400, 1600))
OFFSET_WEIGHT = 10.0


def magnitude(wave: Tensor, n_fft: int, hop: int, window: Tensor) -> Tensor:
    """|STFT| (B, n_fft // 2 + 1, frames) of wave (B, samples), floored for the logarithm."""
    spectrum = torch.stft(
        wave, n_fft, hop, len(window), window=window, center=True, return_complex=True
    )
    return torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-9)


class SpectralLoss(nn.Module):
    """Spectral convergence and log-magnitude L1 over several resolutions, and log-mel L1.

    A constant offset, which the spectra all but ignore, has a term of its own.
    """

    basis: Tensor
    mel_window: Tensor

    def __init__(self) -> None:
        super().__init__()
        for n_fft, _, win in RESOLUTIONS:
            self.register_buffer(f"window_{n_fft}", torch.hann_window(win), persistent=False)
        self.register_buffer("mel_window", torch.hann_window(WIN), persistent=False)
        self.register_buffer("basis", torch.from_numpy(mel_basis()), persistent=False)

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Mean loss of fake against real, both (B, samples)."""
        total = torch.zeros((), device=fake.device)
        for n_fft, hop, _ in RESOLUTIONS:
            window = getattr(self, f"window_{n_fft}")
            a = magnitude(fake, n_fft, hop, window)
            b = magnitude(real, n_fft, hop, window)
            total = total + torch.linalg.norm(b - a) / torch.linalg.norm(b)
            total = total + F.l1_loss(a.log(), b.log())
        mel = F.l1_loss(self.log_mel(fake), self.log_mel(real))
        offset = OFFSET_WEIGHT * F.l1_loss(fake.mean(-1), real.mean(-1))
        return total / len(RESOLUTIONS) + mel + offset

    def log_mel(self, wave: Tensor) -> Tensor:
        """Natural-log mel (B, 80, frames), floored at 1e-5 as the features are."""
        return (self.basis @ magnitude(wave, N_FFT, HOP, self.mel_window)).clamp_min(1e-5).log()


def discriminator_loss(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    """Least squares: real scores to 1, fake scores to 0, averaged over discriminators."""
    terms = [((r - 1) ** 2).mean() + (f**2).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).mean()


def adversarial_loss(fake: list[Tensor]) -> Tensor:
    """Least squares: fake scores to 1, averaged over discriminators."""
    return torch.stack([((f - 1) ** 2).mean() for f in fake]).mean()


def feature_loss(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """L1 between the discriminators' hidden features, averaged over layers."""
    terms = [
        F.l1_loss(f, r.detach())
        for rs, fs in zip(real, fake, strict=True)
        for r, f in zip(rs, fs, strict=True)
    ]
    return torch.stack(terms).mean()
