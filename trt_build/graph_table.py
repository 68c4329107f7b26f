"""What the graphs of a voice weigh."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import prod

import onnx
from onnx import TensorProto

from trt_build.profiles import Sizes, profile

STATE = re.compile(r"state|window(_\d+)?")  # inputs that a stream keeps from call to call
HEADER = ("graph", "nodes", "parameters", "bytes", "state", "inputs")


@dataclass(frozen=True, slots=True)
class GraphRow:
    """One graph. parameters: float weights. size: bytes.

    state: floats that a stream carries from one call to the next, the decoder's keys and values
    among them. inputs: with their shapes, dynamic dimensions by name.
    """

    name: str
    nodes: int
    parameters: int
    size: int
    state: int
    inputs: str

    @property
    def cells(self) -> tuple[str | int, ...]:
        """As HEADER has them."""
        return self.name, self.nodes, self.parameters, self.size, self.state, self.inputs


def graph_row(model: onnx.ModelProto, dimensions: Mapping[str, Sizes]) -> GraphRow:
    """Measure one graph.

    Raises:
        BuildError: dimension_unknown.
    """
    graph, shapes = model.graph, profile(model, dimensions)
    return GraphRow(
        name=graph.name,
        nodes=len(graph.node),
        parameters=sum(prod(t.dims) for t in graph.initializer if t.data_type == TensorProto.FLOAT),
        size=model.ByteSize(),
        state=sum(prod(s.opt[1:]) for name, s in shapes.items() if STATE.fullmatch(name)),
        inputs=", ".join(_inputs(graph.input)),
    )


def total(rows: list[GraphRow]) -> GraphRow:
    """All graphs together."""
    return GraphRow(
        name="together",
        nodes=sum(row.nodes for row in rows),
        parameters=sum(row.parameters for row in rows),
        size=sum(row.size for row in rows),
        state=sum(row.state for row in rows),
        inputs="",
    )


def _inputs(values: Iterable[onnx.ValueInfoProto]) -> Iterator[str]:
    """Name and shape of each; numbered ones of one shape, of which each layer has one, together."""
    for (stem, shape), group in groupby(values, lambda v: (v.name.rstrip("0123456789"), _shape(v))):
        names = [value.name for value in group]
        last = names[-1].removeprefix(stem)
        yield f"{names[0]}{f'..{last}' if names[1:] else ''} ({shape})"


def _shape(value: onnx.ValueInfoProto) -> str:
    return ", ".join(
        dim.dim_param or str(dim.dim_value) for dim in value.type.tensor_type.shape.dim
    )
