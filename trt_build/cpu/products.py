"""Products with weights of 8 bit for a processor: what SAMBERT mostly consists of.

Weights are stored in blocks of up to 256 with a scale each; ONNX Runtime's MatMulNBits rounds what
they are multiplied with to 8 bit as it comes, so nothing has to be calibrated. LSTMs have weights
of 8 bit per output too. A convolution over few steps becomes a product with its taps side by side.
Tables and filters that stay float are stored in FP16.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from trt_build.cpu.writer import MICROSOFT, Storage, Writer, attributes, layer

BLOCKS = (256, 128, 64, 32)
MOST_PADDING = 1.1  # a block size may make the weights this much larger
LEAST_WEIGHTS = 4096  # smaller products gain nothing
END = 2**31 - 1
TABLES = ("Gather", "Slice")
WEIGHT_AXIS = {"MatMul": 1, "LSTM": 1, "Slice": 1}  # of a weight's outputs; else 0


def integer_products(
    model: onnx.ModelProto, kept: Mapping[str, Storage] = MappingProxyType({})
) -> onnx.ModelProto:
    """The graph with its products on integers.

    kept: layers (see `layer`) that compute in FP32, and how their weights are stored.
    """
    return _Rewriting(model, kept).run()


def block_size(inner: int) -> int:
    """The largest block that fits weights of this inner size without much padding."""
    fitting = [b for b in BLOCKS if -(-inner // b) * b <= MOST_PADDING * inner]
    return fitting[0] if fitting else BLOCKS[-1]


def blocks(
    weight: npt.NDArray[Any], size: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Weights (K, N) as MatMulNBits has them: (N, K / size, size) around 128, scales, one a block.

    K is padded to whole blocks.
    """
    inner, outer = weight.shape
    count = -(-inner // size)
    padded = np.zeros((outer, count * size), np.float32)
    padded[:, :inner] = weight.T
    padded = padded.reshape(outer, count, size)
    scales = np.maximum(np.abs(padded).max(-1), 1e-12) / 127.0
    rounded = np.rint(padded / scales[..., None]) + 128
    return rounded.astype(np.uint8), scales.astype(np.float32).reshape(-1)


def rows(weight: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Weights (D, N, K) of an LSTM as DynamicQuantizeLSTM has them: (D, K, N) and scales (D, N)."""
    scales = np.maximum(np.abs(weight).max(2), 1e-12) / 127.0
    rounded = np.rint(weight / scales[..., None]).astype(np.int8)
    return rounded.transpose(0, 2, 1), scales.astype(np.float32)


class _Rewriting:
    def __init__(self, model: onnx.ModelProto, kept: Mapping[str, Storage]) -> None:
        self.w, self._kept = Writer(model), kept
        self._done: set[str] = set()  # nodes that an earlier one took in

    def run(self) -> onnx.ModelProto:
        for node in self.w.model.graph.node:
            if node.name in self._done:
                continue
            weight, norm = self._weight(node), self._norm_after(node)
            if norm is not None:
                self._normalized_sum(node, norm)
            elif weight is None:
                self._keep(node)
            elif node.op_type == "MatMul":
                self._product(node, weight)
            elif node.op_type == "LSTM":
                self._lstm(node)
            else:
                self._convolution(node, weight)
        return self.w.finished()

    def _keep(self, node: onnx.NodeProto) -> None:
        """A node as it was, its constants stored smaller; tables of embeddings in 8 bit a row."""
        usual: Storage = "int8" if node.op_type in TABLES else "fp16"
        how, axis = self._kept.get(layer(node), usual), WEIGHT_AXIS.get(node.op_type, 0)
        self.w.keep(node, [self.w.stored(name, how, axis) for name in node.input])

    def _weight(self, node: onnx.NodeProto) -> npt.NDArray[Any] | None:
        """The weights of a node that is worth integers."""
        if node.op_type not in ("MatMul", "LSTM", "Conv"):
            return None
        if layer(node) in self._kept:
            return None
        weight = self.w.array(node.input[1])
        if weight is None or weight.size < LEAST_WEIGHTS:
            return None
        told = attributes(node)
        if node.op_type == "Conv" and (told.get("group", 1) > 1 or weight.shape[2] > 1):
            return None
        return weight

    def _product(self, node: onnx.NodeProto, weight: npt.NDArray[Any]) -> None:
        """A MatMul, and the bias after it if that is all that follows."""
        bias, out = self._bias(node), node.output[0]
        added = ""
        if bias is not None:
            self._done.add(bias.name)
            added, out = next(n for n in bias.input if n != node.output[0]), bias.output[0]
        self._multiply(node.input[0], weight, added, node, out)

    def _bias(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """The Add of a constant vector that alone follows a product."""
        users = self.w.users.get(node.output[0], [])
        if len(users) != 1 or users[0].op_type != "Add":
            return None
        added = [self.w.array(n) for n in users[0].input if n != node.output[0]]
        fits = len(added) == 1 and added[0] is not None and added[0].ndim == 1
        return users[0] if fits else None

    def _multiply(
        self, x: str, weight: npt.NDArray[Any], bias: str, node: onnx.NodeProto, out: str
    ) -> None:
        size = block_size(len(weight))
        packed, scales = blocks(weight, size)
        inputs = [
            x,
            self.w.constant(packed, f"{node.input[1]}_int8"),
            self.w.constant(scales, f"{node.input[1]}_scale"),
        ]
        self.w.op(
            "MatMulNBits",
            *([*inputs, "", "", bias] if bias else inputs),
            at=layer(node),
            into=out,
            domain=MICROSOFT,
            K=weight.shape[0],
            N=weight.shape[1],
            bits=8,
            block_size=size,
            accuracy_level=4,
        )

    def _norm_after(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """The layer norm that takes the sum of two values."""
        if node.op_type != "Add" or any(name in self.w.old for name in node.input):
            return None
        norms = [u for u in self.w.users[node.output[0]] if u.op_type == "LayerNormalization"]
        return norms[0] if len(norms) == 1 else None

    def _normalized_sum(self, node: onnx.NodeProto, norm: onnx.NodeProto) -> None:
        """A sum and its layer norm in one go; the sum goes on beside it."""
        self._done.add(norm.name)
        self.w.op(
            "SkipLayerNormalization",
            *node.input,
            *norm.input[1:],
            at=layer(norm),
            into=norm.output[0],
            outputs={3: node.output[0]},
            domain=MICROSOFT,
            epsilon=attributes(norm)["epsilon"],
        )

    def _lstm(self, node: onnx.NodeProto) -> None:
        """Inputs are x, W, R, B, lengths, h, c, P; the integer one has scales after them."""
        inputs = [*node.input, *[""] * (8 - len(node.input))]
        scales = []
        for position in (1, 2):
            weight = self.w.array(node.input[position])
            assert weight is not None
            packed, scale = rows(weight)
            name = node.input[position]
            inputs[position] = self.w.constant(packed, f"{name}_int8")
            zero = self.w.constant(np.zeros(scale.shape, np.int8), f"{name}_zero")
            scales += [self.w.constant(scale, f"{name}_scale"), zero]
        self.w.op(
            "DynamicQuantizeLSTM",
            *inputs,
            *scales,
            at=layer(node),
            into=node.output[0],
            outputs=dict(enumerate(node.output)),
            domain=MICROSOFT,
            **attributes(node),
        )

    def _convolution(self, node: onnx.NodeProto, weight: npt.NDArray[Any]) -> None:
        """(B, C, 1, T) over K taps: channels last, the taps' views side by side, one product."""
        at, told, taps = layer(node), attributes(node), weight.shape[3]
        left, right = told.get("pads", [0, 0, 0, 0])[1::2]
        x = self.w.op("Transpose", node.input[0], at=at, perm=[0, 2, 3, 1])
        if left or right:
            x = self.w.op("Pad", x, self.w.shape(0, 0, left, 0, 0, 0, right, 0), at=at)
        views = [x]
        if taps > 1:
            views = [self._view(x, k, k - taps + 1, at) for k in range(taps)]
        side = self.w.op("Concat", *views, at=at, axis=3) if taps > 1 else x
        flat = weight[:, :, 0].transpose(2, 1, 0).reshape(-1, len(weight))
        out = f"{node.name}/product"
        self._multiply(side, flat, node.input[2] if len(node.input) > 2 else "", node, out)
        self.w.op("Transpose", out, at=at, into=node.output[0], perm=[0, 3, 1, 2])

    def _view(self, x: str, start: int, end: int, at: str) -> str:
        """Time steps from `start` to `end`, which is counted from the last one."""
        return self.w.op(
            "Slice",
            x,
            self.w.shape(start),
            self.w.shape(end or END),
            self.w.shape(2),
            at=at,
        )
