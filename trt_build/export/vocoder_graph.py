"""The streaming vocoder graph: mel chunk in, wave chunk out, convolution history as explicit state.

Exact rewrites of the trained generator: convolutions are 2-D of height 1 (what TensorRT and ONNX
Runtime have fast kernels for), and the two branches of every upsampling, both linear in the same
activation, become one convolution at the lower rate whose output channels are interleaved.
"""

from __future__ import annotations

import onnx
import torch
from torch import Tensor, nn

from trt_build.export.errors import ExportError
from trt_build.export.graph import FlatState, Graph
from trt_build.export.hifigan import Conv, Generator, ResidualBlock


def merged_upsampling(repeat: nn.Conv1d, transposed: nn.ConvTranspose1d, scale: int) -> Tensor:
    """Weight (C_out * scale, C_in, taps) of the causal low-rate convolution equal to both branches.

    Output channel c * scale + p is sample p of every `scale`; the last tap is the newest input.
    """
    c_out, c_in, kernel = repeat.weight.shape
    up_kernel = transposed.weight.shape[-1]
    taps = 1 + max((kernel - 1 + scale - 1) // scale, (up_kernel - 1) // scale)
    weight = torch.zeros(c_out, scale, c_in, taps)
    for p in range(scale):
        for k in range(kernel):
            back = -((p - (kernel - 1) + k) // scale)
            weight[:, p, :, taps - 1 - back] += repeat.weight[:, :, k]
        for back in range((up_kernel - 1 - p) // scale + 1):
            weight[:, p, :, taps - 1 - back] += transposed.weight[:, :, p + back * scale].T
    return weight.reshape(c_out * scale, c_in, taps)


def bias_of(conv: nn.Conv1d | nn.ConvTranspose1d) -> Tensor:
    """The bias, zeros where there is none."""
    return torch.zeros(conv.out_channels) if conv.bias is None else conv.bias


class VocoderGraph:
    """Writes the graph of one causal generator.

    Raises:
        ExportError: not_causal.
    """

    def __init__(self, generator: Generator) -> None:
        if not generator.config.causal:
            raise ExportError(
                "not_causal",
                "this vocoder looks ahead (causal: false in config.yaml), so it cannot stream with "
                "its history as state; train or pick one with causal: true",
            )
        self.generator, self.config = generator.eval(), generator.config
        self.g = Graph("vocoder")
        self.state = FlatState(self.g)

    def build(self) -> onnx.ModelProto:
        """mel (B, C, T) [, excitation (B, 1, T * hop)], state -> wave (B, T * hop), next_state."""
        g, c = self.g, self.config
        mel = g.input("mel", ["B", c.in_channels, "T"])
        x = self.conv(self.flat_to_2d(mel), "conv_pre", self.generator.conv_pre)
        excitation = ""
        if c.source is not None:
            excitation = self.flat_to_2d(g.input("excitation", ["B", 1, "samples"]))
        for i, scale in enumerate(c.upsample_scales):
            x = g.op("Add", x, g.op("Sin", x, at=f"stage_{i}"), at=f"stage_{i}")
            x = self.upsample(self.leaky(x, f"stage_{i}", c.slope), i, scale)
            if excitation:
                e = self.conv(excitation, f"source_downs.{i}", self.generator.source_downs[i])
                x = g.op("Add", x, e, at=f"stage_{i}")
            x = self.blocks(x, i)
        x = self.conv(self.leaky(x, "conv_post", 0.01), "conv_post", self.generator.conv_post)
        wave = g.op("Reshape", g.op("Tanh", x, at="conv_post"), g.ints(0, -1), at="conv_post")
        g.output(wave, "wave", ["B", "samples_out"])
        self.state.close()
        return g.model()

    def flat_to_2d(self, x: str) -> str:
        """(B, C, T) -> (B, C, 1, T)."""
        return self.g.op("Unsqueeze", x, self.g.ints(2))

    def leaky(self, x: str, at: str, slope: float) -> str:
        """Leaky ReLU."""
        return self.g.op("LeakyRelu", x, at=at, alpha=slope)

    def conv(self, x: str, name: str, layer: Conv) -> str:
        """One causal convolution."""
        inner = layer.conv1d
        x = self.state.history(x, (inner.in_channels, 1, layer.left), 3, name)
        return self.g.op(
            "Conv",
            x,
            self.g.weight(f"{name}.conv1d.weight", inner.weight[:, :, None]),
            self.g.weight(f"{name}.conv1d.bias", bias_of(inner)),
            at=name,
            dilations=[1, inner.dilation[0]],
            strides=[1, inner.stride[0]],
        )

    def upsample(self, x: str, i: int, scale: int) -> str:
        """Both upsampling branches as one convolution, its channels interleaved in time."""
        g, name = self.g, f"upsample_{i}"
        repeat = self.generator.repeat_upsamples[i].conv1d
        transposed = self.generator.transpose_upsamples[i].deconv
        weight = merged_upsampling(repeat, transposed, scale)
        bias = (bias_of(repeat) + bias_of(transposed)).repeat_interleave(scale)
        x = self.state.history(x, (weight.shape[1], 1, weight.shape[2] - 1), 3, name)
        out = g.op(
            "Conv",
            x,
            g.weight(f"{name}.weight", weight[:, :, None]),
            g.weight(f"{name}.bias", bias),
            at=name,
        )
        half = self.config.channels >> (i + 1)
        split = g.op("Reshape", out, g.ints(0, half, scale, -1), at=name)
        turned = g.op("Transpose", split, at=name, perm=[0, 1, 3, 2])
        return g.op("Reshape", turned, g.ints(0, half, 1, -1), at=name)

    def blocks(self, x: str, i: int) -> str:
        """The residual blocks of stage i, averaged."""
        g, count = self.g, len(self.config.resblock_kernels)
        outs = [
            self.residual(x, f"conv_blocks.{n}", self.generator.conv_blocks[n])
            for n in range(i * count, (i + 1) * count)
        ]
        total = outs[0]
        for out in outs[1:]:
            total = g.op("Add", total, out, at=f"stage_{i}")
        return g.op("Mul", total, g.scalar(1.0 / count), at=f"stage_{i}")

    def residual(self, x: str, name: str, block: ResidualBlock) -> str:
        """One residual block."""
        for n, (first, second) in enumerate(zip(block.convs1, block.convs2, strict=True)):
            y = self.conv(self.leaky(x, name, block.slope), f"{name}.convs1.{n}", first)
            y = self.conv(self.leaky(y, name, block.slope), f"{name}.convs2.{n}", second)
            x = self.g.op("Add", x, y, at=name)
        return x


def export_vocoder(generator: Generator) -> onnx.ModelProto:
    """The streaming graph of a causal generator."""
    with torch.no_grad():
        return VocoderGraph(generator).build()
