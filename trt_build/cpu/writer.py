"""Nodes and constants of a graph that is being rewritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

MICROSOFT = "com.microsoft"
LEAST_STORED = 1024  # numbers; smaller constants stay FP32
MOST_HALF = 60_000.0
Storage = Literal["int8", "fp16"]


class Writer:
    """The nodes of a new graph and the constants they use, beside the graph it comes from."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.old = {t.name: t for t in model.graph.initializer}
        self.users: dict[str, list[onnx.NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                self.users.setdefault(name, []).append(node)
        self._nodes: list[onnx.NodeProto] = []
        self._new: dict[str, onnx.TensorProto] = {}
        self._count = 0
        self._stored: dict[str, str] = {}

    def array(self, name: str) -> npt.NDArray[Any] | None:
        """The value of a constant of the old graph; None where `name` is none."""
        tensor = self.old.get(name)
        return None if tensor is None else np.asarray(numpy_helper.to_array(tensor))

    def ints(self, name: str) -> list[int]:
        """A constant vector of the old graph, empty where `name` is none."""
        found = self.array(name)
        return [] if found is None else [int(value) for value in found.ravel()]

    def constant(self, value: npt.NDArray[Any], name: str) -> str:
        """A constant of the new graph; the same name is the same constant."""
        self._new.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def stored(self, name: str, how: Storage, axis: int = 0) -> str:
        """An FP32 constant of the old graph kept smaller in the file; small ones are left alone.

        ONNX Runtime widens it once, when it loads. int8: with a scale for each index of `axis`.
        """
        value = self.array(name)
        if value is None or value.dtype != np.float32 or value.size < LEAST_STORED:
            return name
        if name not in self._stored:
            if how == "fp16" and np.abs(value).max() > MOST_HALF:
                return name
            self._stored[name] = (
                self._half(value, name) if how == "fp16" else self._rounded(value, name, axis)
            )
        return self._stored[name]

    def _half(self, value: npt.NDArray[Any], name: str) -> str:
        half = self.constant(value.astype(np.float16), f"{name}_fp16")
        return self.op("Cast", half, at="stored", to=onnx.TensorProto.FLOAT)

    def _rounded(self, value: npt.NDArray[Any], name: str, axis: int) -> str:
        others = tuple(i for i in range(value.ndim) if i != axis)
        if value.size < 8 * value.shape[axis]:  # the scales would outweigh it
            return name
        scales = np.maximum(np.abs(value).max(others, keepdims=True), 1e-12) / 127.0
        small = self.constant(np.rint(value / scales).astype(np.int8), f"{name}_stored")
        wide = self.op("Cast", small, at="stored", to=onnx.TensorProto.FLOAT)
        scale = self.constant(scales.astype(np.float32), f"{name}_stored_scale")
        return self.op("Mul", wide, scale, at="stored")

    def shape(self, *sizes: int) -> str:
        """A constant vector of int64."""
        return self.constant(np.array(sizes, np.int64), "shape_" + "_".join(map(str, sizes)))

    def keep(self, node: onnx.NodeProto, inputs: Sequence[str] | None = None) -> None:
        """A node as it was, with other inputs if they are given."""
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        if inputs is not None:
            del copy.input[:]
            copy.input.extend(inputs)
        self._nodes.append(copy)

    def op(
        self,
        kind: str,
        *inputs: str,
        at: str,
        into: str = "",
        domain: str = "",
        outputs: Mapping[int, str] | None = None,
        **attributes: Any,
    ) -> str:
        """Add a node, named after `at`; the name of its first output.

        outputs: names of outputs beyond the first, by position; those left out are not made.
        """
        self._count += 1
        stem = f"{at}/{kind}_{self._count}"
        names = [into or f"{stem}:0"]
        for position in range(1, max(outputs or {0: ""}) + 1):
            names.append((outputs or {}).get(position, ""))
        self._nodes.append(
            helper.make_node(kind, list(inputs), names, name=stem, domain=domain, **attributes)
        )
        return names[0]

    def finished(self) -> onnx.ModelProto:
        """The new graph, with the inputs and outputs of the old one.

        Constants of the old graph that no node uses are left out.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        used = {name for node in self._nodes for name in node.input}
        constants = [t for n, t in {**self.old, **self._new}.items() if n in used]
        for field, items in (("node", self._nodes), ("initializer", constants)):
            model.graph.ClearField(field)
            getattr(model.graph, field).extend(items)
        if not any(opset.domain == MICROSOFT for opset in model.opset_import):
            model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
        return model


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes of a node, by name."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def layer(node: onnx.NodeProto) -> str:
    """The layer a node belongs to: what its name says before the last slash."""
    name: str = node.name.rpartition("/")[0]
    return name
