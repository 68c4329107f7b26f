"""A small typed writer of ONNX graphs: every node and name in a voice is there on purpose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

OPSET = 19
IR_VERSION = 10
END = 2**31 - 1
Shape = Sequence[int | str]


class Graph:
    """Collects nodes and weights; values are known by their names.

    Weights keep the checkpoint's parameter names, nodes are named after the layer they belong to.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._count = 0

    def input(self, name: str, shape: Shape, kind: int = TensorProto.FLOAT) -> str:
        """Declare a graph input."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, value: str, name: str, shape: Shape, kind: int = TensorProto.FLOAT) -> None:
        """Declare a graph output, fed by `value`."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name=f"{name}/out"))
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def weight(self, name: str, value: Tensor | npt.NDArray[Any]) -> str:
        """Add a constant under this name; the same name and value twice is one constant.

        Raises:
            ValueError: the name already stands for another value.
        """
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        tensor = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        if self._weights.setdefault(name, tensor) != tensor:
            raise ValueError(f"two constants of graph {self.name} are called {name}")
        return name

    def ints(self, *values: int) -> str:
        """A constant vector of int64."""
        return self.weight("ints_" + "_".join(map(str, values)), np.array(values, np.int64))

    def scalar(self, value: float) -> str:
        """A constant float."""
        return self.weight(f"scalar_{value!r}", np.array(value, np.float32))

    def op(self, kind: str, *inputs: str, at: str = "", outputs: int = 1, **attributes: Any) -> str:
        """Add a node named after layer `at`; returns its first output. `ops` returns them all."""
        return self.ops(kind, *inputs, at=at, outputs=outputs, **attributes)[0]

    def ops(
        self,
        kind: str,
        *inputs: str,
        at: str = "",
        outputs: int = 1,
        into: Sequence[str] = (),
        **attributes: Any,
    ) -> list[str]:
        """Add a node with several outputs, called `into` where that is given."""
        self._count += 1
        stem = f"{at or self.name}/{kind}_{self._count}"
        names = list(into) or [f"{stem}:{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, name=stem, **attributes))
        return names

    @contextmanager
    def in_front(self) -> Iterator[None]:
        """Nodes added inside go before all nodes so far."""
        later, self._nodes = self._nodes, []
        yield
        self._nodes += later

    def slice(self, x: str, start: int, end: int, axis: int, at: str = "") -> str:
        """x[start:end] along one axis; END is the end of any."""
        return self.op("Slice", x, self.ints(start), self.ints(end), self.ints(axis), at=at)

    def cut(self, x: str, sizes: Sequence[int], axis: int, at: str = "") -> list[str]:
        """x split along one axis into parts of these sizes."""
        return self.ops("Split", x, self.ints(*sizes), at=at, outputs=len(sizes), axis=axis)

    def linear(self, x: str, name: str, weight: Tensor, bias: Tensor | None = None) -> str:
        """x @ weight.T + bias over the last axis."""
        out = self.op("MatMul", x, self.weight(f"{name}.weight", weight.T), at=name)
        if bias is None:
            return out
        return self.op("Add", out, self.weight(f"{name}.bias", bias), at=name)

    def layer_norm(self, x: str, name: str, weight: Tensor, bias: Tensor) -> str:
        """Layer norm over the last axis, epsilon 1e-6 as SAMBERT uses."""
        scale, shift = self.weight(f"{name}.weight", weight), self.weight(f"{name}.bias", bias)
        return self.op("LayerNormalization", x, scale, shift, at=name, axis=-1, epsilon=1e-6)

    def model(self) -> onnx.ModelProto:
        """The finished, checked model."""
        graph = helper.make_graph(
            self._nodes, self.name, self._inputs, self._outputs, list(self._weights.values())
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="sambertd",
        )
        onnx.checker.check_model(model, full_check=True)
        return model


class FlatState:
    """Streaming state as one vector (B, size): parts are read from it and written back in order."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._slots: list[tuple[str, tuple[int, ...]]] = []
        self._updates: list[str] = []

    def read(self, shape: tuple[int, ...]) -> str:
        """Name of the next part, of this shape after the batch axis; filled in by `close`."""
        name = f"state_part_{len(self._slots)}"
        self._slots.append((name, shape))
        return name

    def write(self, value: str) -> None:
        """New value of the part read first among those not yet written."""
        self._updates.append(value)

    def history(self, x: str, shape: tuple[int, ...], axis: int, at: str) -> str:
        """x with what came before it in front: as many steps along `axis` as `shape` says.

        shape is that of the history after the batch axis. The newest steps of the whole are kept
        for the next call.
        """
        length = shape[axis - 1]
        if length == 0:
            return x
        joined = self.graph.op("Concat", self.read(shape), x, at=at, axis=axis)
        self.write(self.graph.slice(joined, -length, END, axis, at))
        return joined

    @property
    def size(self) -> int:
        """Floats per stream."""
        return sum(prod(shape) for _, shape in self._slots)

    def close(self) -> None:
        """Add the `state` input, its unpacking before all other nodes, and `next_state`."""
        g = self.graph
        if len(self._updates) != len(self._slots):
            raise ValueError(f"{len(self._slots)} states read, {len(self._updates)} written")
        g.input("state", ["B", self.size])
        sizes = [prod(shape) for _, shape in self._slots]
        with g.in_front():
            parts = g.cut("state", sizes, 1, "state")
            for part, (name, shape) in zip(parts, self._slots, strict=True):
                g.op("Reshape", part, g.ints(0, *shape), at="state", into=[name])
        flat = [
            g.op("Reshape", value, g.ints(0, size), at="state")
            for value, size in zip(self._updates, sizes, strict=True)
        ]
        g.output(g.op("Concat", *flat, at="state", axis=1), "next_state", ["B", self.size])
