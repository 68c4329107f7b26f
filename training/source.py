"""Excitation of the neural source filter for training batches (KAN-TTS: SourceModule)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from trt_build.export.pack import SourceStats

ALPHA = 0.1  # amplitude of each partial
SIGMA = 0.003  # deviation of the noise added to it
VOICING_THRESHOLD = 0.6  # predicted voicing from which a frame counts as voiced


def harmonics(f0: Tensor, voiced: Tensor, count: int, hop: int, rate: int) -> Tensor:
    """Sines of f0 and its overtones where voiced, noise elsewhere: (B, count + 1, T * hop).

    f0 (B, T) in Hz without gaps, voiced (B, T) in {0, 1}. Overtones keep a fixed phase relation to
    the fundamental, whose own phase starts at random, so the generator always sees the same pulse
    shape. Partials at or above half the sample rate are left out.
    """
    hz = f0.repeat_interleave(hop, dim=1).double()
    on = voiced.repeat_interleave(hop, dim=1)[:, None]
    phase = torch.cumsum(hz / rate, dim=1) + torch.rand(
        len(f0), 1, dtype=torch.float64, device=f0.device
    )
    order = torch.arange(1, count + 2, dtype=torch.float64, device=f0.device)[None, :, None]
    turns = (phase[:, None] * order) % 1.0
    sines = torch.sin(2.0 * torch.pi * turns).float()
    sines = sines * (hz[:, None] * order < rate / 2)
    noise = torch.randn_like(sines)
    return on * (ALPHA * sines + SIGMA * noise) + (1.0 - on) * (ALPHA / 3.0) * noise


def trained_source(f0_mean: float, f0_std: float) -> SourceStats:
    """What a pack must say of this excitation; mean and deviation of f0 in Hz."""
    from trt_build.export.pack import SourceStats

    return SourceStats(
        f0_mean,
        f0_std,
        coupled=True,
        alpha=ALPHA,
        sigma=SIGMA,
        voicing_threshold=VOICING_THRESHOLD,
    )
