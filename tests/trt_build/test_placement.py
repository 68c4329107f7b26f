"""Which layers may run in INT8, and how they are grouped."""

from __future__ import annotations

import re

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tests.trt_build.golden_graphs import BUILT_IN, CASES, case
from trt_build.graph_view import GraphView, attribute
from trt_build.groups import groups
from trt_build.placement import LEAST, placement, skips

YUE = ("encoder", "duration_step", "memory", "decoder_step", "postnet", "vocoder")


@pytest.mark.parametrize(("voice", "graph"), CASES)
def test_what_may_and_what_may_not(voice: str, graph: str) -> None:
    """The rules, read off every graph there is."""
    model = case(voice, graph).model
    view, sorted_out = GraphView(model), placement(model, single_rows=True)
    nodes = {node.name: node for node in model.graph.node}
    for target in sorted_out.targets:
        node, shape = nodes[target.node], view.shape(target.weight)
        assert node.op_type in ("Conv", "MatMul")
        assert [target.activation, target.weight] == node.input[:2]
        assert target.weight in view.weights
        assert min(int(size) for size in shape[:2]) >= LEAST
        assert attribute(node, "group", 1) == 1
        assert target.axis == (0 if node.op_type == "Conv" else 1)
    for node in model.graph.node:
        if node.op_type in ("LSTM", "LayerNormalization", "Softmax", "Conv", "MatMul"):
            assert (node.name in sorted_out.kept) != (
                node.name in {target.node for target in sorted_out.targets}
            )
        if node.op_type in ("LSTM", "LayerNormalization", "Softmax"):
            assert node.op_type in sorted_out.kept[node.name]


def test_the_vocoders_ends_stay_float() -> None:
    kept = placement(case(BUILT_IN, "vocoder").model).kept
    assert kept["conv_pre/Conv_4"] == "the first convolution"
    assert "16 channels" in kept["conv_post/Conv_283"]
    targets = {target.node for target in placement(case(BUILT_IN, "vocoder").model).targets}
    assert {f"upsample_{i}" for i in range(4)} <= {name.split("/")[0] for name in targets}


def wide(*, steps: int = 3) -> ModelProto:
    """Convolutions of 32 channels in a row."""
    weights = [
        numpy_helper.from_array(np.ones((32, 32, 1, 3), np.float32), f"w{i}") for i in range(steps)
    ]
    names = ["x", *(f"v{i}" for i in range(1, steps)), "y"]
    nodes = [
        helper.make_node("Conv", [names[i], f"w{i}"], [names[i + 1]], name=f"c{i}/Conv_{i}")
        for i in range(steps)
    ]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 32, 1, n * 9]) for n in "xy")
    graph = helper.make_graph(nodes, "wide", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)


def test_first_and_last_are_told_by_what_is_around_them() -> None:
    kept = placement(wide()).kept
    assert kept == {"c0/Conv_0": "the first convolution", "c2/Conv_2": "the last convolution"}


def test_products_of_one_row_stay_float_unless_asked_for() -> None:
    for graph in ("decoder_step", "duration_step"):
        model = case(BUILT_IN, graph).model
        assert not placement(model).targets
        assert "one row per utterance" in placement(model).kept.values()
        assert placement(model, single_rows=True).targets
    assert len(placement(case(BUILT_IN, "memory").model).targets) == 2


@pytest.mark.parametrize(("voice", "graph"), CASES)
def test_groups_hold_every_layer_once(voice: str, graph: str) -> None:
    model = case(voice, graph).model
    for single_rows in (False, True):
        found = groups(model, single_rows=single_rows)
        nodes = [node for members in found.values() for node in members]
        targets = placement(model, single_rows=single_rows).targets
        assert sorted(nodes) == sorted(target.node for target in targets)


def test_groups_are_called_as_one_would_speak_of_them() -> None:
    names = {graph: list(groups(case(BUILT_IN, graph).model, single_rows=True)) for graph in YUE}
    assert names["memory"] == ["memory_kv", "entry"]
    assert names["postnet"] == ["fsmn 0", "fsmn 1", "fsmn 2", "fsmn 3", "fc"]
    assert names["duration_step"] == ["duration prenet", "duration lstm.0", "duration lstm.1"]
    assert names["decoder_step"][:3] == ["prenet", "layer 0 attention", "layer 0 ffn"]
    assert names["encoder"][-2:] == ["energy fsmn 1", "energy fsmn 2"]
    shape = re.compile(r"stage \d (upsampling|block [01])")
    assert all(shape.fullmatch(name) for name in names["vocoder"])
    assert names["vocoder"][:4] == [
        "stage 0 upsampling",
        "stage 0 block 0",
        "stage 0 block 1",
        "stage 1 upsampling",
    ]


def test_a_layer_of_no_known_name_is_a_group_of_its_own() -> None:
    assert groups(wide(steps=4)) == {"c1": ("c1/Conv_1",), "c2": ("c2/Conv_2",)}


def test_skips_are_what_a_residual_sum_adds() -> None:
    model = case(BUILT_IN, "vocoder").model
    targets = placement(model).targets
    view, found = GraphView(model), skips(model, targets)
    layers = {target.node for target in targets}
    assert len(found) == 18  # blocks of three stages, three sums in each
    for add, skip in found.items():
        (node,) = (n for n in view.nodes if n.name == add)
        (other,) = (name for name in node.input if name != skip)
        assert view.maker[other].name in layers


def test_a_products_bias_is_no_skip() -> None:
    model = case(BUILT_IN, "encoder").model
    view = GraphView(model)
    found = skips(model, placement(model).targets)
    assert found
    assert not set(found.values()) & set(view.weights)
