"""Layers that several graphs of SAMBERT share."""

from __future__ import annotations

import torch
from torch import nn

from trt_build.export.attention import FeedForward
from trt_build.export.graph import Graph


def embedding(g: Graph, name: str, table: nn.Embedding, ids: str) -> str:
    return g.op("Gather", g.weight(f"{name}.weight", table.weight), ids, at=name)


def conv1d(g: Graph, x: str, name: str, conv: nn.Conv1d, pad: int | None = None) -> str:
    """A convolution over (B, C, T), padded on both sides as trained unless told otherwise."""
    inputs = [x, g.weight(f"{name}.weight", conv.weight)]
    if conv.bias is not None:
        inputs.append(g.weight(f"{name}.bias", conv.bias))
    side = conv.padding[0] if pad is None else pad
    assert isinstance(side, int)
    return g.op("Conv", *inputs, at=name, pads=[side, side], group=conv.groups)


def feed_forward(g: Graph, x: str, name: str, layer: FeedForward) -> str:
    """Over (B, T, C); kernel-1 convolutions become products, wider ones stay convolutions."""
    y = g.layer_norm(x, f"{name}.layer_norm", layer.layer_norm.weight, layer.layer_norm.bias)
    if layer.w_1.kernel_size[0] == 1:
        y = g.linear(y, f"{name}.w_1", layer.w_1.weight[:, :, 0], layer.w_1.bias)
    else:
        y = conv1d(g, g.op("Transpose", y, at=name, perm=[0, 2, 1]), f"{name}.w_1", layer.w_1)
        y = g.op("Transpose", y, at=name, perm=[0, 2, 1])
    y = g.op("Relu", y, at=name)
    y = g.linear(y, f"{name}.w_2", layer.w_2.weight[:, :, 0], layer.w_2.bias)
    return g.op("Add", x, y, at=name)


def lstm_gates(stacked: torch.Tensor) -> torch.Tensor:
    """LSTM gates (directions, 4 * H, ...) from PyTorch's order i f g o to ONNX's i o f g."""
    i, f, c, o = stacked.chunk(4, dim=1)
    return torch.cat([i, o, f, c], dim=1)
