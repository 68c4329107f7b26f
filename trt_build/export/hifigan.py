"""HiFi-GAN generator as KAN-TTS builds it, for training and export only.

Kong et al. 2020, "HiFi-GAN" (arXiv:2010.05646), with the changes of KAN-TTS
(github.com/alibaba-damo-academy/KAN-TTS): x + sin(x) before every upsampling, a nearest-neighbour
("repeat") branch beside each transposed convolution, causal or centred convolutions, and an
optional neural source filter (NSF) whose excitation is added after each upsampling.
Parameter names are KAN-TTS's, with weight norm folded into `weight`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import prod
from operator import mul
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trt_build.export.containers import Layers


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Sizes of the harmonic source. harmonics counts the overtones above f0."""

    harmonics: int
    sample_rate: int


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """Sizes of the generator, in KAN-TTS's terms."""

    in_channels: int
    channels: int
    kernel_size: int
    upsample_scales: tuple[int, ...]
    upsample_kernels: tuple[int, ...]
    resblock_kernels: tuple[int, ...]
    resblock_dilations: tuple[tuple[int, ...], ...]
    causal: bool
    slope: float = 0.1
    source: SourceConfig | None = None

    @property
    def hop_length(self) -> int:
        """Samples per mel frame."""
        return prod(self.upsample_scales)

    @property
    def source_strides(self) -> tuple[int, ...]:
        """Samples of excitation per step of each upsampling stage."""
        rates = accumulate((1, *reversed(self.upsample_scales[1:])), mul)
        return tuple(reversed(list(rates)))


class Conv(nn.Module):
    """A stride-aware 1-D convolution: left-padded when causal, else padded on both sides."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        causal: bool,
        stride: int = 1,
        dilation: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.left = (kernel - 1) * dilation if causal else 0
        self.conv1d = nn.Conv1d(
            c_in, c_out, kernel, stride, padding=0 if causal else padding, dilation=dilation
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv1d(F.pad(x, (self.left, 0)) if self.left else x)
        return out


class ConvTranspose(nn.Module):
    """A transposed convolution; the causal one drops the samples that look ahead."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, *, causal: bool) -> None:
        super().__init__()
        if kernel < stride:
            raise ValueError(f"an upsampling kernel of {kernel} leaves gaps at a scale of {stride}")
        self.trim = kernel - stride if causal else 0
        self.deconv = nn.ConvTranspose1d(
            c_in, c_out, kernel, stride, padding=0 if causal else (kernel - stride) // 2
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.deconv(x)
        return out[:, :, : out.shape[-1] - self.trim]


class TransposedUpsampling(nn.Sequential):
    """Leaky ReLU and a transposed convolution."""

    @property
    def conv(self) -> ConvTranspose:
        """The convolution."""
        return cast(ConvTranspose, self[1])


class RepeatUpsampling(nn.Sequential):
    """Every step repeated, leaky ReLU, and a convolution at the higher rate."""

    @property
    def conv(self) -> Conv:
        """The convolution."""
        return cast(Conv, self[2])


class ResidualBlock(nn.Module):
    """Dilated and plain convolutions in pairs, each pair around a skip connection."""

    def __init__(
        self, channels: int, kernel: int, dilations: tuple[int, ...], slope: float, *, causal: bool
    ) -> None:
        super().__init__()
        self.slope = slope
        self.convs1 = Layers[Conv](
            Conv(
                channels, channels, kernel, causal=causal, dilation=d, padding=(kernel - 1) * d // 2
            )
            for d in dilations
        )
        self.convs2 = Layers[Conv](
            Conv(channels, channels, kernel, causal=causal, padding=(kernel - 1) // 2)
            for _ in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        for first, second in zip(self.convs1, self.convs2, strict=True):
            x = x + second(F.leaky_relu(first(F.leaky_relu(x, self.slope)), self.slope))
        return x


class Source(nn.Module):
    """Merges the harmonics of the excitation into one channel (KAN-TTS: `source_module`)."""

    def __init__(self, config: SourceConfig) -> None:
        super().__init__()
        self.ffn = nn.Sequential(nn.Conv1d(config.harmonics + 1, 1, 1), nn.Tanh())

    def forward(self, harmonics: Tensor) -> Tensor:
        out: Tensor = self.ffn(harmonics)
        return out


class Generator(nn.Module):
    """mel (B, in_channels, T) and, with NSF, excitation (B, 1, T * hop) -> wave (B, 1, T * hop).

    Raises:
        ValueError: the sizes make no generator; forward, an excitation is missing or not wanted.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = c = config
        k, causal = c.kernel_size, c.causal
        self.conv_pre = Conv(c.in_channels, c.channels, k, causal=causal, padding=(k - 1) // 2)
        self.transpose_upsamples = Layers[TransposedUpsampling]()
        self.repeat_upsamples = Layers[RepeatUpsampling]()
        self.conv_blocks = Layers[ResidualBlock]()
        width = c.channels
        for scale, up_kernel in zip(c.upsample_scales, c.upsample_kernels, strict=True):
            half = width // 2
            act = nn.LeakyReLU(c.slope)
            self.transpose_upsamples.append(
                TransposedUpsampling(
                    act, ConvTranspose(width, half, up_kernel, scale, causal=causal)
                )
            )
            repeat = Conv(width, half, k, causal=causal, padding=(k - 1) // 2)
            self.repeat_upsamples.append(
                RepeatUpsampling(nn.Upsample(scale_factor=scale), act, repeat)
            )
            for kernel, dilations in zip(c.resblock_kernels, c.resblock_dilations, strict=True):
                self.conv_blocks.append(
                    ResidualBlock(half, kernel, dilations, c.slope, causal=causal)
                )
            width = half
        self.conv_post = Conv(width, 1, k, causal=causal, padding=(k - 1) // 2)
        if c.source is not None:
            self.source_module = Source(c.source)
            self.source_downs = Layers[Conv](
                self._source_down(stride, c.channels >> (i + 1))
                for i, stride in enumerate(c.source_strides)
            )

    def _source_down(self, stride: int, channels: int) -> Conv:
        if stride == 1:
            return Conv(1, channels, 1, causal=False)
        if stride % 2 and not self.config.causal:
            raise ValueError(f"a centred source cannot be sampled down by an odd {stride}")
        return Conv(
            1, channels, 2 * stride, causal=self.config.causal, stride=stride, padding=stride // 2
        )

    def forward(self, mel: Tensor, excitation: Tensor | None = None) -> Tensor:
        if (excitation is None) != (self.config.source is None):
            raise ValueError(
                "this generator has a neural source filter, give it the excitation"
                if excitation is None
                else "this generator has no neural source filter, give it the mel alone"
            )
        # Sums in KAN-TTS's order: some trained nets blow the rounding of another up to 1e-4.
        x: Tensor = self.conv_pre(mel)
        kernels = len(self.config.resblock_kernels)
        for i, (repeat, transposed) in enumerate(
            zip(self.repeat_upsamples, self.transpose_upsamples, strict=True)
        ):
            x = x + torch.sin(x)
            repeated, up = repeat(x), transposed(x)
            if excitation is not None:
                repeated = repeated + self.source_downs[i](excitation)
            x = repeated + up[:, :, : repeated.shape[-1]]
            blocks = self.conv_blocks[i * kernels : (i + 1) * kernels]
            x = torch.stack([block(x) for block in blocks]).sum(0) / kernels
        return torch.tanh(self.conv_post(F.leaky_relu(x)))
