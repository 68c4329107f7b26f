"""Multi-period and multi-scale discriminators of HiFi-GAN, with a width to fit the machine.

Kong et al. 2020 (arXiv:2010.05646). Full size is MPD width 32 (limit 1024) and MSD width 128
(limit 1024); the small preset divides both. Scales are average-pooled.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

INPUT_GAIN = 10.0  # speech at an RMS near 0.1 comes to the first layer at about 1
Judged = tuple[list[Tensor], list[list[Tensor]]]
SLOPE = 0.1


def normed(conv: nn.Conv1d | nn.Conv2d) -> nn.Module:
    """The convolution under weight norm, initialised so that features keep their scale (He 2015).

    PyTorch's own initialisation shrinks them layer by layer, and a short training then never gets
    discriminators that discriminate.
    """
    nn.init.kaiming_normal_(conv.weight, a=SLOPE)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    out: nn.Module = weight_norm(conv)
    return out


class PeriodDiscriminator(nn.Module):
    """Looks at every period-th sample: the wave folded to (samples / period, period)."""

    def __init__(self, period: int, width: int, limit: int) -> None:
        super().__init__()
        self.period = period
        widths = [1] + [min(width * 4**i, limit) for i in range(4)]
        self.convs = nn.ModuleList(
            normed(nn.Conv2d(a, b, (5, 1), (3, 1), (2, 0))) for a, b in pairwise(widths)
        )
        self.convs.append(normed(nn.Conv2d(widths[-1], widths[-1], (5, 1), 1, (2, 0))))
        self.post = normed(nn.Conv2d(widths[-1], 1, (3, 1), 1, (1, 0)))

    def forward(self, wave: Tensor) -> tuple[Tensor, list[Tensor]]:
        b, c, t = wave.shape
        short = -t % self.period
        x = F.pad(wave, (0, short), "reflect").view(b, c, (t + short) // self.period, self.period)
        features = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), SLOPE)
            features.append(x)
        x = self.post(x)
        return x.flatten(1), [*features, x]


class ScaleDiscriminator(nn.Module):
    """Grouped strided convolutions over the wave at one sampling rate."""

    def __init__(self, width: int, limit: int) -> None:
        super().__init__()
        plan = [(15, 1, 1), (41, 4, 4), (41, 4, 16), (41, 4, 16), (41, 4, 16), (5, 1, 1)]
        layers: list[nn.Module] = []
        c_in = 1
        for i, (kernel, stride, groups) in enumerate(plan):
            c_out = min(width * 2 ** max(0, i - 1), limit)
            groups = min(groups, c_in)
            conv = nn.Conv1d(c_in, c_out, kernel, stride, kernel // 2, groups=groups)
            layers.append(normed(conv))
            c_in = c_out
        self.convs = nn.ModuleList(layers)
        self.post = normed(nn.Conv1d(c_in, 1, 3, 1, 1))

    def forward(self, wave: Tensor) -> tuple[Tensor, list[Tensor]]:
        x, features = wave, []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), SLOPE)
            features.append(x)
        x = self.post(x)
        return x.flatten(1), [*features, x]


class Discriminators(nn.Module):
    """MPD (periods 2, 3, 5, 7, 11) and MSD (three scales) side by side."""

    def __init__(self, mpd_width: int, msd_width: int, limit: int) -> None:
        super().__init__()
        self.periods = nn.ModuleList(
            PeriodDiscriminator(p, mpd_width, limit) for p in (2, 3, 5, 7, 11)
        )
        self.scales = nn.ModuleList(ScaleDiscriminator(msd_width, limit) for _ in range(3))

    def forward(self, wave: Tensor) -> Judged:
        """Scores and features of every discriminator for wave (B, 1, samples)."""
        wave = wave * INPUT_GAIN
        judged = [d(wave) for d in self.periods]
        for i, d in enumerate(self.scales):
            judged.append(d(wave))
            if i + 1 < len(self.scales):
                wave = F.avg_pool1d(wave, 4, 2, 2)
        return [score for score, _ in judged], [features for _, features in judged]


def real_and_fake(judge: nn.Module, real: Tensor, fake: Tensor) -> tuple[Judged, Judged]:
    """One pass over both batches: the judgements of the real half and of the fake half."""
    scores, features = judge(torch.cat([real, fake]))
    n = len(real)
    return (
        ([s[:n] for s in scores], [[f[:n] for f in fs] for fs in features]),
        ([s[n:] for s in scores], [[f[n:] for f in fs] for fs in features]),
    )
