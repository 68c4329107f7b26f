"""The same graph computed in FP16, but for islands of FP32; what goes in and out stays FP32."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trt_build.graph_view import FLOAT, GraphView

HALF = TensorProto.FLOAT16
# Sums of squares overflow FP16 at values of 256, and an angle's fraction is lost in it. An LSTM's
# state would gather errors, and gains nothing: its time goes into starting its many small kernels.
ISLANDS = ("LayerNormalization", "LSTM", "Sin", "Exp", "Pow", "ReduceMean", "ReduceSum")
LARGEST = float(np.finfo(np.float16).max)


def half(model: onnx.ModelProto, islands: Collection[str] = ()) -> onnx.ModelProto:
    """Convert a graph, with quantize and dequantize nodes or without.

    Scales become FP16 too, so that TensorRT computes in FP16 between INT8 layers. islands: names of
    nodes that stay FP32 besides those of ISLANDS' kinds and those whose constants FP16 cannot hold.
    A host feeds the result just as it feeds the original.
    """
    return _Converter(model, islands).convert()


class _Converter:
    """Writes the nodes anew, with casts where the two precisions meet."""

    def __init__(self, model: onnx.ModelProto, islands: Collection[str]) -> None:
        self._model, self._view = model, GraphView(model)
        self._islands = {n.name for n in self._view.nodes if self._is_island(n, islands)}
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}
        self._kinds: dict[str, int] = {
            name: FLOAT for name in self._view.inputs if self._is_float(name)
        }

    def convert(self) -> onnx.ModelProto:
        for node in self._view.nodes:
            self._add(node)
        out = onnx.ModelProto()
        out.CopyFrom(self._model)
        for field in (out.graph.node, out.graph.initializer, out.graph.value_info):
            del field[:]
        out.graph.node.extend(self._nodes)
        out.graph.initializer.extend(self._weights.values())
        onnx.checker.check_model(out, full_check=True)
        return out

    def _is_float(self, name: str) -> bool:
        return bool(name) and self._view.kind(name) == FLOAT

    def _is_island(self, node: onnx.NodeProto, named: Collection[str]) -> bool:
        return node.op_type in ISLANDS or node.name in named or any(map(self._is_large, node.input))

    def _is_large(self, name: str) -> bool:
        tensor = self._view.weights.get(name)
        if tensor is None or tensor.data_type != FLOAT:
            return False
        values = numpy_helper.to_array(tensor)
        return bool(values.size and np.abs(values).max() > LARGEST)

    def _add(self, original: onnx.NodeProto) -> None:
        kind = int(FLOAT if original.name in self._islands else HALF)
        node = onnx.NodeProto()
        node.CopyFrom(original)
        for i, name in enumerate(original.input):
            if name in self._view.weights:
                node.input[i] = self._weight(name, kind)
            elif self._is_float(name):
                node.input[i] = self._cast(name, kind)
        self._nodes.append(node)
        for i, name in enumerate(original.output):
            if self._is_float(name):
                self._kinds[name] = kind
                if name in self._view.outputs and kind == HALF:
                    self._leave(node, i, name)

    def _leave(self, node: onnx.NodeProto, i: int, name: str) -> None:
        """Make a graph's output FP32 again."""
        if node.op_type == "Identity":
            cast = helper.make_node("Cast", list(node.input), [name], name=node.name, to=FLOAT)
            self._nodes[-1] = cast
            self._kinds[name] = FLOAT
            return
        inner = node.output[i] = f"{name}/half"
        cast = helper.make_node("Cast", [inner], [name], name=f"{name}/Cast", to=FLOAT)
        self._nodes.append(cast)
        self._kinds[name] = FLOAT

    def _cast(self, name: str, kind: int) -> str:
        if self._kinds[name] == kind:
            return name
        to = f"{name}/{'float' if kind == FLOAT else 'half'}"
        if to not in self._kinds:
            self._kinds[to] = kind
            self._nodes.append(helper.make_node("Cast", [name], [to], name=f"{to}/Cast", to=kind))
        return to

    def _weight(self, name: str, kind: int) -> str:
        tensor = self._view.weights[name]
        if tensor.data_type == FLOAT and kind == HALF:
            name = f"{name}/half"
            if name not in self._weights:
                values = numpy_helper.to_array(tensor).astype(np.float16)
                self._weights[name] = numpy_helper.from_array(values, name)
        else:
            self._weights[name] = tensor
        return name
