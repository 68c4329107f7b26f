"""Layers that several graphs of SAMBERT share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trt_build.export.attention import FeedForward, Prenet
from trt_build.export.errors import ExportError
from trt_build.export.fsmn import FeedForwardNet, MemoryBlock
from trt_build.export.graph import Graph


def embedding(g: Graph, name: str, table: nn.Embedding, ids: str) -> str:
    """Rows of the table: ids (...) -> (..., C)."""
    return g.op("Gather", g.weight(f"{name}.weight", table.weight), ids, at=name)


def conv1d(g: Graph, x: str, name: str, conv: nn.Conv1d) -> str:
    """A convolution over (B, C, T), padded on both sides as trained."""
    inputs = [x, g.weight(f"{name}.weight", conv.weight)]
    if conv.bias is not None:
        inputs.append(g.weight(f"{name}.bias", conv.bias))
    side = int(conv.padding[0])
    return g.op("Conv", *inputs, at=name, pads=[side, side], group=conv.groups)


def prenet(g: Graph, x: str, name: str, layer: Prenet) -> str:
    """Over (B, C): linear layers, each but a closing projection with ReLU; no dropout."""
    last = len(layer.fcs) - 1
    for i, inner in enumerate(layer.fcs):
        if isinstance(inner, nn.Linear):
            x = g.linear(x, f"{name}.fcs.{i}", inner.weight, inner.bias)
            x = x if i == last else g.op("Relu", x, at=name)
    return x


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


def fsmn_ffn(g: Graph, x: str, name: str, layer: FeedForwardNet) -> str:
    """Over (B, T, C), as products."""
    y = g.linear(x, f"{name}.w_1", layer.w_1.weight[:, :, 0], layer.w_1.bias)
    return g.linear(g.op("Relu", y, at=name), f"{name}.w_2", layer.w_2.weight[:, :, 0])


def fsmn_filter(g: Graph, x: str, name: str, block: MemoryBlock, pads: tuple[int, int]) -> str:
    """The depth-wise filter over (B, T, C), without the skip around it."""
    turned = g.op("Transpose", x, at=name, perm=[0, 2, 1])
    weight = g.weight(f"{name}.conv_dw.weight", block.conv_dw.weight)
    width = block.conv_dw.in_channels
    filtered = g.op("Conv", turned, weight, at=name, group=width, pads=pads)
    return g.op("Transpose", filtered, at=name, perm=[0, 2, 1])


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
