"""Every graph of every variant keeps the rules, and the rules find what breaks them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.trt_build.golden_graphs import CASES, case
from tests.trt_build.models import Array, Runner
from trt_build.profiles import profile
from trt_build.rules import faults


@pytest.mark.parametrize(("voice", "graph"), CASES)
def test_graph_keeps_the_rules(voice: str, graph: str) -> None:
    assert faults(case(voice, graph).model) == []


@pytest.mark.parametrize(("voice", "graph"), CASES)
def test_a_dimension_name_means_one_size(voice: str, graph: str) -> None:
    it = case(voice, graph)
    shapes = profile(it.model, it.dimensions)
    kinds = {v.name: v.type.tensor_type.elem_type for v in it.model.graph.input}
    for pick in (0, 1):
        feeds = {
            name: np.zeros(s[pick], helper.tensor_dtype_to_np_dtype(kinds[name]))
            for name, s in shapes.items()
        }
        values = {**feeds, **Runner(it.model)(**feeds)}
        sizes: dict[str, set[int]] = {}
        for value in (*it.model.graph.input, *it.model.graph.output):
            dims = value.type.tensor_type.shape.dim
            for dim, size in zip(dims, values[value.name].shape, strict=True):
                sizes.setdefault(dim.dim_param or str(dim.dim_value), set()).add(size)
        assert all(len(found) == 1 for found in sizes.values()), sizes
        assert all(found == {int(name)} for name, found in sizes.items() if name.isdigit())


def conv(name: str = "layer/Conv_1") -> onnx.NodeProto:
    return helper.make_node("Conv", ["x", "w"], ["y"], name=name)


def model(
    *nodes: onnx.NodeProto, opset: int = 19, width: str | None = "T", **weights: Array
) -> onnx.ModelProto:
    """Inputs x (1, 2, 1, width) and output y, over these nodes."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 1, width])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 1, "T_out"])
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(list(nodes), "small", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


FLAT = np.arange(12, dtype=np.float32).reshape(2, 2, 1, 3)
ONES = np.ones(4, np.float32)


def test_a_sound_graph_has_no_faults() -> None:
    assert faults(model(conv(), w=FLAT, scale=ONES, other_scale=ONES)) == []


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (model(conv(), w=FLAT, opset=20), "opset is"),
        (model(conv(), w=FLAT[:, :, 0]), "layer/Conv_1 has no constant weight of 2-D convolutions"),
        (model(conv()), "layer/Conv_1 has no constant weight"),
        (model(conv(), w=FLAT.astype(np.float16)), "w is FLOAT16"),
        (model(conv(), w=FLAT, again=FLAT.copy()), "again is stored twice, also as w"),
        (model(conv(name=""), w=FLAT), "a Conv has no name"),
        (model(conv(), conv(), w=FLAT), "2 nodes are called layer/Conv_1"),
        (model(conv(), w=FLAT, width=None), "dimension 3 of x has neither size nor name"),
        *(
            (model(helper.make_node(kind, ["x"], ["y"], name="odd")), f"odd is a {kind}")
            for kind in (
                "SplitToSequence",
                "SequenceEmpty",
                "ConcatFromSequence",
                "Loop",
                "If",
                "Scan",
                "NonZero",
            )
        ),
    ],
)
def test_a_broken_rule_is_found(broken: onnx.ModelProto, fault: str) -> None:
    (found,) = faults(broken)
    assert found.startswith(fault)
