"""The vocoder in INT8 for a processor: its heavy convolutions on integers, channels last.

ONNX Runtime's integer convolution wants channels last, its FP32 convolution channels first. A run
of integer layers is written channels last from end to end, so that nothing is transposed within it:
a history is one block of memory, and interleaving the channels of an upsampling is a reshape.
Activations are unsigned 8 bit with a zero point, weights signed 8 bit per output channel (what VNNI
and dot-product instructions take). Sums of residuals stay in FP32.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import onnx

from trt_build.cpu.values import Integers, Ranges, Value, Values
from trt_build.cpu.writer import MICROSOFT, Storage, Writer, attributes, layer
from trt_build.errors import BuildError

LEAST_CHANNELS = 4
TIME_LAST, TIME_FIRST = 3, 2  # axis of time with channels first, and with channels last


def observed(model: onnx.ModelProto) -> list[str]:
    """Values whose ranges `integer_convolutions` needs: what its convolutions take and give."""
    graph = Writer(model)
    convs = [node for node in model.graph.node if _fits(graph, node)]
    joined = {n.output[0]: n.input[1] for n in model.graph.node if n.op_type == "Concat"}
    taken = [joined.get(node.input[0], node.input[0]) for node in convs]
    return [*dict.fromkeys([*taken, *(node.output[0] for node in convs)])]


def convolutions(model: onnx.ModelProto) -> list[str]:
    """Layers that can be put on integers, in the order in which they run."""
    graph = Writer(model)
    return [layer(node) for node in model.graph.node if _fits(graph, node)]


def integer_convolutions(
    model: onnx.ModelProto, ranges: Ranges, kept: Mapping[str, Storage] = MappingProxyType({})
) -> onnx.ModelProto:
    """The graph with its convolutions on integers.

    ranges: of the values that `observed` names. kept: layers (see `layer`) that compute in FP32,
    and how their weights are stored. State is laid out anew; its size stays.

    Raises:
        BuildError: rung_unsupported, the graph is not of a form this can rewrite.
    """
    return _Rewriting(model, ranges, kept).run()


def _fits(graph: Writer, node: onnx.NodeProto) -> bool:
    """Whether a node is a convolution worth integers."""
    if node.op_type != "Conv":
        return False
    weight = graph.array(node.input[1])
    groups = attributes(node).get("group", 1)
    return weight is not None and groups == 1 and weight.shape[1] >= LEAST_CHANNELS


class _Rewriting:
    def __init__(self, model: onnx.ModelProto, ranges: Ranges, kept: Mapping[str, Storage]) -> None:
        self.w = Writer(model)
        self._kept = kept
        self._values = Values(self.w, ranges)
        self._makers = {node.output[0]: node for node in model.graph.node}

    def run(self) -> onnx.ModelProto:
        for node in self.w.model.graph.node:
            handle = getattr(self, f"_on_{node.op_type.lower()}", None)
            if handle is None:
                raise self._unknown(node)
            handle(node)
        return self.w.finished()

    def _unknown(self, node: onnx.NodeProto) -> BuildError:
        return BuildError(
            "rung_unsupported",
            f"graph {self.w.model.graph.name} has a node {node.name} ({node.op_type}) that the "
            "INT8 form for processors does not know; it stays in FP32",
        )

    def _integer(self, node: onnx.NodeProto) -> bool:
        """Whether a node is a convolution to be done on integers."""
        return _fits(self.w, node) and layer(node) not in self._kept

    # --- nodes

    def _on_conv(self, node: onnx.NodeProto) -> None:
        if not self._integer(node):
            weights = self.w.stored(node.input[1], self._kept.get(layer(node), "fp16"))
            self.w.keep(node, [self._values.first(node.input[0]), weights, *node.input[2:]])
            self._values[node.output[0]] = Value(first=node.output[0])
            return
        weight, bias = self.w.array(node.input[1]), self.w.array(node.input[2])
        assert weight is not None
        assert bias is not None
        order = self._order(node, len(weight))
        weight, bias = weight[order], bias[order]
        scales = np.maximum(np.abs(weight).max((1, 2, 3)), 1e-12) / 127.0
        rounded = np.rint(weight / scales[:, None, None, None]).astype(np.int8)
        came, gives = self._values.taken(node.input[0]), self._values.step(node.output[0])
        wide = np.rint(bias / (came.step.scale * scales)).clip(-(2.0**31), 2.0**31 - 1)
        constant = self.w.constant
        out = self.w.op(
            "QLinearConv",
            came.name,
            *self._values.constants(came.step),
            constant(rounded, f"{node.input[1]}_int8"),
            constant(scales.astype(np.float32), f"{node.input[1]}_scale"),
            constant(np.zeros(len(scales), np.int8), f"zeros_{len(scales)}"),
            *self._values.constants(gives),
            constant(wide.astype(np.int32), f"{node.input[2]}_int32"),
            at=layer(node),
            domain=MICROSOFT,
            channels_last=1,
            **attributes(node),
        )
        self._values[node.output[0]] = Value(integers=Integers(out, gives))

    def _order(self, node: onnx.NodeProto, channels: int) -> list[int]:
        """Output channels in the order that makes interleaving them in time a reshape."""
        for user in self.w.users.get(node.output[0], ()):
            sizes = self.w.ints(user.input[1]) if user.op_type == "Reshape" else []
            if len(sizes) == 4:
                order: list[int] = np.arange(channels).reshape(sizes[1:3]).T.ravel().tolist()
                return order
        return list(range(channels))

    def _channels_first(self, node: onnx.NodeProto) -> None:
        """A node as it was."""
        self.w.keep(node, [self._values.first(name) for name in node.input])
        self._values[node.output[0]] = Value(first=node.output[0])

    def _flat(self, node: onnx.NodeProto) -> None:
        """A node whose output has not four axes."""
        self.w.keep(node, [self._values.first(name) for name in node.input])

    _on_split = _on_identity = _flat

    def _on_concat(self, node: onnx.NodeProto) -> None:
        """History in front of new values; or the parts of the next state, which are flat."""
        if attributes(node)["axis"] != TIME_LAST:
            self._flat(node)
            return
        conv = next(user for user in self.w.users[node.output[0]] if user.op_type == "Conv")
        if not self._integer(conv):
            self._channels_first(node)
            return
        step = self._values.step(node.input[1])
        parts = [self._values.quantized(name, step) for name in node.input]
        joined = self.w.op("Concat", *parts, at=layer(node), axis=TIME_FIRST)
        self._values[node.output[0]] = Value(integers=Integers(joined, step))

    def _on_slice(self, node: onnx.NodeProto) -> None:
        """The newest values, kept for the next call."""
        if self.w.ints(node.input[3]) != [TIME_LAST]:
            raise self._unknown(node)
        have = self._values[node.input[0]].integers
        if have is None:
            self._channels_first(node)
            return
        axis = self.w.shape(TIME_FIRST)
        kept = self.w.op("Slice", have.name, *node.input[1:3], axis, at=layer(node))
        self._values[node.output[0]] = Value(integers=Integers(kept, have.step))

    def _on_leakyrelu(self, node: onnx.NodeProto) -> None:
        source = self._values[node.input[0]].integers
        if source is None or not self._for_integers(node.output[0]):
            self._elementwise(node)
            return
        step = self._values.step(node.output[0])
        out = self.w.op(
            "QLinearLeakyRelu",
            source.name,
            *self._values.constants(source.step),
            *self._values.constants(step),
            at=layer(node),
            domain=MICROSOFT,
            alpha=attributes(node).get("alpha", 0.01),
        )
        self._values[node.output[0]] = Value(integers=Integers(out, step))

    def _for_integers(self, name: str) -> bool:
        """Whether a value goes to a convolution on integers, behind its history or by itself."""
        users = self.w.users.get(name, [])
        joined = [u for user in users for u in self.w.users.get(user.output[0], ())]
        return any(self._integer(user) for user in (*users, *joined))

    def _elementwise(self, node: onnx.NodeProto) -> None:
        """In the layout of what is there."""
        values = [self._values.get(name) for name in node.input]
        if all(value is None or value.first for value in values):
            self._channels_first(node)
            return
        inputs = [
            name if value is None else self._values.last(name)
            for name, value in zip(node.input, values, strict=True)
        ]
        self.w.keep(node, inputs)
        self._values[node.output[0]] = Value(last=node.output[0])

    _on_add = _on_sin = _on_mul = _on_tanh = _elementwise

    def _on_unsqueeze(self, node: onnx.NodeProto) -> None:
        """(B, C, T) -> (B, C, 1, T)."""
        self._channels_first(node)

    def _on_transpose(self, node: onnx.NodeProto) -> None:
        """Of the interleaving, done on integers by the order of the convolution's channels."""
        if not self._pass(node):
            self._channels_first(node)

    def _pass(self, node: onnx.NodeProto) -> bool:
        """Whether nothing is to be done, since a convolution on integers has done it."""
        have = self._values[node.input[0]].integers
        if have is not None:
            self._values[node.output[0]] = Value(integers=have)
        return have is not None

    def _on_reshape(self, node: onnx.NodeProto) -> None:
        sizes, name = self.w.ints(node.input[1]), node.input[0]
        maker = self._makers.get(name)
        if len(sizes) == 2:  # into the flat state, or the wave
            self._into_flat(node)
        elif maker is not None and maker.op_type == "Conv":
            if not self._pass(node):
                self._channels_first(node)
        elif maker is not None and maker.op_type == "Transpose":
            self._interleave(node, sizes[1])
        else:  # a part of the state
            self._from_flat(node, sizes)

    def _into_flat(self, node: onnx.NodeProto) -> None:
        """Channels stay where they are: the state is only ever read back as it was written."""
        value = self._values[node.input[0]]
        form = self._values.last if value.integers else self._values.first
        self.w.keep(node, [form(node.input[0]), node.input[1]])

    def _from_flat(self, node: onnx.NodeProto, sizes: list[int]) -> None:
        (user,) = [u for u in self.w.users[node.output[0]] if u.op_type == "Concat"]
        if not any(self._integer(conv) for conv in self.w.users[user.output[0]]):
            self._channels_first(node)
            return
        shape = self.w.shape(sizes[0], sizes[2], sizes[3], sizes[1])
        self._values[node.output[0]] = Value(
            last=self.w.op("Reshape", node.input[0], shape, at=layer(node))
        )

    def _interleave(self, node: onnx.NodeProto, channels: int) -> None:
        have = self._values[node.input[0]].integers
        if have is None:
            self._channels_first(node)
            return
        shape = self.w.shape(0, 1, -1, channels)
        out = self.w.op("Reshape", have.name, shape, at=layer(node))
        self._values[node.output[0]] = Value(integers=Integers(out, have.step))
