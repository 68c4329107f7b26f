"""The vocoder graph: mel chunk in, wave chunk out.

A causal generator streams, its convolution history as explicit state. A centred one is padded with
zeros at both ends as it was trained; the host runs it over chunks that overlap by what it sees.

Exact rewrites of the trained generator: convolutions are 2-D of height 1 (what TensorRT and ONNX
Runtime have fast kernels for), and the two branches of every upsampling, both linear in the same
activation, become one convolution at the lower rate whose output channels are interleaved.
"""

from __future__ import annotations

import onnx
import torch

from trt_build.export.graph import FlatState, Graph
from trt_build.export.hifigan import Conv, Generator, ResidualBlock
from trt_build.export.upsampling import Upsampling, bias_of


class VocoderGraph:
    """Writes the graph of one generator."""

    def __init__(self, generator: Generator) -> None:
        self.generator, self.config = generator.eval(), generator.config
        self.g = Graph("vocoder")
        self.state = FlatState(self.g)

    def build(self) -> onnx.ModelProto:
        """mel (B, C, T) [, excitation (B, 1, T * hop)] -> wave (B, T * hop).

        Of a causal generator also state (B, size) -> next_state.
        """
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
        if c.causal:
            self.state.close()
        return g.model()

    def flat_to_2d(self, x: str) -> str:
        """(B, C, T) -> (B, C, 1, T)."""
        return self.g.op("Unsqueeze", x, self.g.ints(2))

    def leaky(self, x: str, at: str, slope: float) -> str:
        """Leaky ReLU."""
        return self.g.op("LeakyRelu", x, at=at, alpha=slope)

    def conv(self, x: str, name: str, layer: Conv) -> str:
        """One convolution."""
        inner = layer.conv1d
        side = int(inner.padding[0])
        x = self.state.history(x, (inner.in_channels, 1, layer.left), 3, name)
        return self.g.op(
            "Conv",
            x,
            self.g.weight(f"{name}.conv1d.weight", inner.weight[:, :, None]),
            self.g.weight(f"{name}.conv1d.bias", bias_of(inner)),
            at=name,
            pads=[0, side, 0, side],
            dilations=[1, inner.dilation[0]],
            strides=[1, inner.stride[0]],
        )

    def upsample(self, x: str, i: int, scale: int) -> str:
        """Both upsampling branches as one convolution, its channels interleaved in time."""
        g, name = self.g, f"upsample_{i}"
        net = self.generator
        repeat, transposed = net.repeat_upsamples[i].conv, net.transpose_upsamples[i].conv
        merged = Upsampling.merged(repeat, transposed, scale)
        pads = [0, merged.before, 0, merged.after]
        if self.config.causal:
            x = self.state.history(x, (merged.weight.shape[1], 1, merged.before), 3, name)
            pads = [0, 0, 0, 0]
        out = g.op(
            "Conv",
            x,
            g.weight(f"{name}.weight", merged.weight[:, :, None]),
            g.weight(f"{name}.bias", merged.bias),
            at=name,
            pads=pads,
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
    """The graph of a generator; see VocoderGraph.build."""
    with torch.no_grad():
        return VocoderGraph(generator).build()
