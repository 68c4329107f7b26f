"""Both upsampling branches of a generator stage as one convolution at the lower rate."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trt_build.export.hifigan import Conv, ConvTranspose


@dataclass(frozen=True, slots=True)
class Upsampling:
    """weight (C_out * scale, C_in, taps) and bias (C_out * scale).

    Channel c * scale + p is sample p of a step. before, after: taps on either side of the step's
    own.
    """

    weight: Tensor
    bias: Tensor
    before: int
    after: int

    @classmethod
    def merged(cls, repeat: Conv, transposed: ConvTranspose, scale: int) -> Upsampling:
        """A convolution over every step repeated plus a transposed one, causal or centred.

        Both are linear in the same input and see zeros around it, so the sum of both is exact.
        """
        narrow, wide = repeat.conv1d, transposed.deconv
        c_out, c_in, kernel = narrow.weight.shape
        left, skipped = repeat.left + int(narrow.padding[0]), int(wide.padding[0])
        taps: defaultdict[int, Tensor] = defaultdict(
            lambda: torch.zeros(c_out, scale, c_in, dtype=torch.float64)
        )
        for p in range(scale):
            for k in range(kernel):
                taps[(p - left + k) // scale][:, p] += narrow.weight[:, :, k]
            for k in range((p + skipped) % scale, wide.kernel_size[0], scale):
                taps[(p + skipped - k) // scale][:, p] += wide.weight[:, :, k].T
        before, after = -min(taps), max(taps)
        weight = torch.stack([taps[offset] for offset in range(-before, after + 1)], -1)
        bias = (bias_of(narrow) + bias_of(wide)).repeat_interleave(scale)
        return cls(weight.flatten(0, 1).float(), bias, before, after)


def bias_of(conv: nn.Conv1d | nn.ConvTranspose1d) -> Tensor:
    """The bias, zeros where there is none."""
    return torch.zeros(conv.out_channels) if conv.bias is None else conv.bias
