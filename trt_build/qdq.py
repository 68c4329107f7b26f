"""Explicit quantization: QuantizeLinear and DequantizeLinear where INT8 begins and ends.

TensorRT's rules hold throughout (NvInfer.h and the ONNX parser of 10.3 and later): signed INT8,
zero point 0, one scale per activation, one per output channel of a weight, float biases. Nothing
stands between a layer and its bias, its residual sum or its activation, which TensorRT fuses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from engines.session import Floats
from trt_build.errors import BuildError
from trt_build.graph_view import GraphView
from trt_build.placement import Target, skips

TOP = 127
SMALLEST = float(np.finfo(np.float16).smallest_normal)  # of scales; kernels may take less as zero
LARGEST = float(np.finfo(np.float16).max)
ZERO = "int8_zero"


def as_scale(largest: npt.ArrayLike) -> Floats:
    """The scale that takes |x| <= largest to 127, as a float32 that FP16 holds exactly."""
    scale = np.clip(np.asarray(largest, np.float64) / TOP, SMALLEST, LARGEST)
    return scale.astype(np.float16).astype(np.float32)


def quantized(weight: Floats, axis: int) -> tuple[npt.NDArray[np.int8], Floats]:
    """A weight in INT8 and its scale per channel of this axis."""
    others = tuple(i for i in range(weight.ndim) if i != axis)
    scale = as_scale(np.abs(weight).max(others))
    spread = np.expand_dims(scale, others)
    return np.clip(np.rint(weight / spread), -TOP, TOP).astype(np.int8), scale


def insert(
    model: onnx.ModelProto,
    ranges: Mapping[str, float],
    targets: Collection[Target],
    *,
    residual: bool = False,
) -> onnx.ModelProto:
    """The float graph with these layers in INT8, weights stored so.

    ranges: the largest |x| by value name. residual: also the skip input of sums that end a layer.

    Raises:
        BuildError: range_missing.
    """
    writer = _Writer(model, ranges, targets, residual)
    return writer.write()


class _Writer:
    """Writes the nodes anew, in order."""

    def __init__(
        self,
        model: onnx.ModelProto,
        ranges: Mapping[str, float],
        targets: Collection[Target],
        residual: bool,
    ) -> None:
        self._model, self._view, self._ranges = model, GraphView(model), ranges
        self._targets = {target.node: target for target in targets}
        self._skips = skips(model, tuple(targets)) if residual else {}
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}
        self._joined = {t.activation for t in targets if self._is_concat(t.activation)}

    def _is_concat(self, value: str) -> bool:
        maker = self._view.maker.get(value)
        return maker is not None and maker.op_type == "Concat"

    def write(self) -> onnx.ModelProto:
        for node in self._view.nodes:
            self._add(node)
        out = onnx.ModelProto()
        out.CopyFrom(self._model)
        graph = out.graph
        used = {name for node in self._nodes for name in node.input}
        for field in (graph.node, graph.initializer, graph.value_info):
            del field[:]
        graph.node.extend(self._nodes)
        weights = self._view.weights | self._weights
        graph.initializer.extend(weights[name] for name in weights if name in used)
        onnx.checker.check_model(out, full_check=True)
        return out

    def _add(self, original: onnx.NodeProto) -> None:
        node = onnx.NodeProto()
        node.CopyFrom(original)
        target = self._targets.get(node.name)
        if target:
            node.input[0] = self._float(self._int8(target.activation), target.activation)
            node.input[1] = self._weight(target)
        elif node.name in self._skips:
            skip = self._skips[node.name]
            at = list(node.input).index(skip)
            node.input[at] = self._float(self._int8(skip), skip)
        elif self._is_cut(node):
            self._cut(node)
            return
        elif set(node.output) & self._joined and self._is_needless(node):
            return
        self._nodes.append(node)

    def _int8(self, value: str, scaled_as: str = "") -> str:
        """The value in INT8, by another's scale if that is named.

        Of a Concat its parts are, so that it joins bytes and no Q follows it: TensorRT would move
        that one in front of it, into each part's way.
        """
        scaled_as = scaled_as or value
        name = f"{value}/int8" if value == scaled_as else f"{value}/int8 for {scaled_as}"
        if self._has(name):
            return name
        if not self._is_concat(value):
            inputs = [value, self._scale(scaled_as), self._zero()]
            return self._op("QuantizeLinear", inputs, name)
        maker = self._view.maker[value]
        parts = [self._int8(part, scaled_as) for part in maker.input]
        node = helper.make_node("Concat", parts, [name], name=f"{name}/Concat")
        node.attribute.extend(maker.attribute)
        self._nodes.append(node)
        return name

    def _float(self, int8: str, scaled_as: str) -> str:
        inputs = [int8, self._scale(scaled_as), self._zero()]
        return self._op("DequantizeLinear", inputs, f"{int8}/float")

    def _weight(self, target: Target) -> str:
        values = numpy_helper.to_array(self._view.weights[target.weight])
        int8, scale = quantized(values, target.axis)
        name = f"{target.weight}/int8"
        inputs = [
            self._constant(name, int8),
            self._constant(f"{target.weight}/scale", scale),
            self._constant(f"{target.weight}/zero", np.zeros(len(scale), np.int8)),
        ]
        return self._op("DequantizeLinear", inputs, f"{name}/float", axis=target.axis)

    def _is_cut(self, node: onnx.NodeProto) -> bool:
        """Whether it cuts the history for the next call off what a layer is given in INT8."""
        return node.op_type == "Slice" and node.input[0] in self._joined

    def _cut(self, node: onnx.NodeProto) -> None:
        """Cut bytes: what comes back as history is quantized to just the same bytes."""
        value = node.input[0]
        inner = f"{node.output[0]}/int8"
        inputs = [self._int8(value), *list(node.input)[1:]]
        self._nodes.append(helper.make_node("Slice", inputs, [inner], name=node.name))
        scale = self._scale(value)
        name = f"{node.name}/DequantizeLinear"
        self._nodes.append(
            helper.make_node(
                "DequantizeLinear", [inner, scale, self._zero()], [node.output[0]], name=name
            )
        )

    def _is_needless(self, concat: onnx.NodeProto) -> bool:
        """Whether nobody takes the float values any more."""
        (value,) = concat.output
        return value not in self._view.outputs and all(
            node.name in self._targets or self._is_cut(node) for node in self._view.takers[value]
        )

    def _scale(self, value: str) -> str:
        largest = self._ranges.get(value)
        if largest is None or not np.isfinite(largest) or largest < 0.0:
            raise BuildError(
                "range_missing",
                f"no range is known of {value} in graph {self._model.graph.name}; calibrate the "
                "voice again (python -m trt_build calibrate)",
            )
        return self._constant(f"{value}/scale", as_scale(largest))

    def _zero(self) -> str:
        return self._constant(ZERO, np.zeros((), np.int8))

    def _constant(self, name: str, value: npt.NDArray[np.int8] | Floats) -> str:
        if name not in self._weights:
            self._weights[name] = numpy_helper.from_array(value, name)
        return name

    def _has(self, value: str) -> bool:
        return any(value in node.output for node in self._nodes)

    def _op(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        if not self._has(name):
            node = helper.make_node(kind, inputs, [name], name=f"{name}/{kind}", **attributes)
            self._nodes.append(node)
        return name
