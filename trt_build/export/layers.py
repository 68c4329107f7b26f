"""Layers that several graphs of SAMBERT share."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from trt_build.export.attention import FeedForward
from trt_build.export.errors import ExportError
from trt_build.export.fsmn import FeedForwardNet, MemoryBlock
from trt_build.export.graph import Graph


def embedding(g: Graph, name: str, table: nn.Embedding, ids: str) -> str:
    """Rows of the table: ids (...) -> (..., C)."""
    return g.op("Gather", g.weight(f"{name}.weight", table.weight), ids, at=name)


def conv(g: Graph, x: str, name: str, layer: nn.Conv1d, pads: tuple[int, int]) -> str:
    """A convolution over time of (B, T, C), as a 2-D one of height 1.

    TensorRT turns 1-D convolutions into those too, with a reshape of the weights in front of each.
    """
    inputs = [_laid_flat(g, x, name), g.weight(f"{name}.weight", layer.weight[:, :, None])]
    if layer.bias is not None:
        inputs.append(g.weight(f"{name}.bias", layer.bias))
    left, right = pads
    y = g.op("Conv", *inputs, at=name, pads=[0, left, 0, right], group=layer.groups)
    return g.op("Squeeze", g.op("Transpose", y, at=name, perm=[0, 2, 3, 1]), g.ints(1), at=name)


def _laid_flat(g: Graph, x: str, at: str) -> str:
    """(B, T, C) -> (B, C, 1, T)."""
    return g.op("Transpose", g.op("Unsqueeze", x, g.ints(1), at=at), at=at, perm=[0, 3, 1, 2])


def same_padding(layer: nn.Conv1d) -> tuple[int, int]:
    """As trained, on both sides."""
    side = int(layer.padding[0])
    return side, side


def prenet(g: Graph, x: str, name: str, layers: Iterable[nn.Module]) -> str:
    """Over (B, C): linear layers with ReLU; no dropout."""
    for i, inner in enumerate(layers):
        if isinstance(inner, nn.Linear):
            x = g.linear(x, f"{name}.fcs.{i}", inner.weight, inner.bias)
            x = g.op("Relu", x, at=name)
    return x


def feed_forward(g: Graph, x: str, name: str, layer: FeedForward) -> str:
    """Over (B, T, C); kernel-1 convolutions become products, wider ones stay convolutions."""
    y = g.layer_norm(x, f"{name}.layer_norm", layer.layer_norm.weight, layer.layer_norm.bias)
    if layer.w_1.kernel_size[0] == 1:
        y = g.linear(y, f"{name}.w_1", layer.w_1.weight[:, :, 0], layer.w_1.bias)
    else:
        y = conv(g, y, f"{name}.w_1", layer.w_1, same_padding(layer.w_1))
    y = g.op("Relu", y, at=name)
    y = g.linear(y, f"{name}.w_2", layer.w_2.weight[:, :, 0], layer.w_2.bias)
    return g.op("Add", x, y, at=name)


def fsmn_ffn(g: Graph, x: str, name: str, layer: FeedForwardNet) -> str:
    """Over (B, T, C), as products."""
    y = g.linear(x, f"{name}.w_1", layer.w_1.weight[:, :, 0], layer.w_1.bias)
    return g.linear(g.op("Relu", y, at=name), f"{name}.w_2", layer.w_2.weight[:, :, 0])


def fsmn_filter(g: Graph, x: str, name: str, block: MemoryBlock, pads: tuple[int, int]) -> str:
    """The depth-wise filter over (B, T, C), without the skip around it."""
    return conv(g, x, f"{name}.conv_dw", block.conv_dw, pads)


def filter_sides(block: MemoryBlock) -> tuple[int, int]:
    """Frames that an FSMN filter sees before and after its own.

    Raises:
        ExportError: filter_shift, it does not see its own frame.
    """
    if min(block.left, block.right) < 0:
        raise ExportError(
            "filter_shift",
            f"an FSMN filter sees frames {-block.left}..{block.right} from its own, which no graph "
            "here can do; check filter_size and shift in config.yaml",
        )
    return block.left, block.right


def lstm_parameters(lstm: nn.LSTM, ending: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Input weight, recurrent weight, and their biases, of one layer and way such as "l0"."""
    w_ih, w_hh, b_ih, b_hh = (
        getattr(lstm, f"{kind}_{ending}")
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    return w_ih, w_hh, b_ih, b_hh


def lstm_gates(stacked: Tensor) -> Tensor:
    """LSTM gates (directions, 4 * H, ...) from PyTorch's order i f g o to ONNX's i o f g."""
    i, f, c, o = stacked.chunk(4, dim=1)
    return torch.cat([i, o, f, c], dim=1)
