"""A graph to look around in: who makes a value, who takes it, what it looks like."""

from __future__ import annotations

from collections import defaultdict

import onnx
from onnx import TensorProto

FLOAT = TensorProto.FLOAT
HEAVY = ("Conv", "ConvTranspose", "MatMul", "Gemm", "LSTM")


class GraphView:
    """Read-only; of the graph as it was when the view was made."""

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = onnx.shape_inference.infer_shapes(model).graph
        self.nodes = list(graph.node)
        self.weights = {tensor.name: tensor for tensor in graph.initializer}
        self.maker = {name: node for node in self.nodes for name in node.output}
        self.takers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                self.takers[name].append(node)
        self.inputs = {value.name for value in graph.input}
        self.outputs = {value.name for value in graph.output}
        values = (*graph.input, *graph.value_info, *graph.output)
        self._types = {value.name: value.type.tensor_type for value in values}

    def kind(self, name: str) -> int:
        """The element type, as TensorProto numbers them."""
        if name in self.weights:
            return int(self.weights[name].data_type)
        return int(self._types[name].elem_type)

    def shape(self, name: str) -> tuple[int | str, ...]:
        """Sizes, or names of dynamic dimensions ("" where inference finds none)."""
        if name in self.weights:
            return tuple(self.weights[name].dims)
        dims = self._types[name].shape.dim
        return tuple(d.dim_value if d.HasField("dim_value") else d.dim_param for d in dims)

    def is_first(self, node: onnx.NodeProto) -> bool:
        """Whether nothing that weighs anything comes before this node."""
        return not self._reaches_heavy(node, up=True)

    def is_last(self, node: onnx.NodeProto) -> bool:
        """Whether nothing that weighs anything comes after it."""
        return not self._reaches_heavy(node, up=False)

    def _reaches_heavy(self, node: onnx.NodeProto, *, up: bool) -> bool:
        waiting, seen = [node], {node.name}
        while waiting:
            for other in self._beside(waiting.pop(), up=up):
                if other.op_type in HEAVY:
                    return True
                if other.name not in seen:
                    seen.add(other.name)
                    waiting.append(other)
        return False

    def _beside(self, node: onnx.NodeProto, *, up: bool) -> list[onnx.NodeProto]:
        if up:
            return [self.maker[name] for name in node.input if name in self.maker]
        return [taker for name in node.output for taker in self.takers[name]]


def attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    """An integer attribute."""
    return next((int(a.i) for a in node.attribute if a.name == name), default)
