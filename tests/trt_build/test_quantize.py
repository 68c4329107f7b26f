"""The graphs for INT8 and FP16: TensorRT's rules on every node, and what they compute."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from engines.pack import GRAPHS, VoicePack
from engines.session import Array
from tests.trt_build.golden_graphs import BUILT_IN, CASES, ROOT, case
from trt_build.calibrate import observe
from trt_build.errors import BuildError
from trt_build.feeds import feeds
from trt_build.graph_view import GraphView
from trt_build.groups import groups
from trt_build.half import ISLANDS, half
from trt_build.oracle import Oracle
from trt_build.placement import Target, placement, skips
from trt_build.qdq import SMALLEST, TOP, as_scale, insert, quantized
from trt_build.quantize import observed, qdq
from trt_build.ranges import minmax

TEXT = "请往后站，车门即将关闭。"
LEAST_DB = {  # of the signal to the error of whole graphs in INT8
    "encoder": 35.0,
    "duration_step": 40.0,
    "memory": 30.0,
    "decoder_step": 35.0,
    "postnet": 35.0,
    "vocoder": 20.0,
}


def guessed(model: ModelProto) -> dict[str, float]:
    """Some range for each value."""
    return {name: 1.0 + i % 7 for i, name in enumerate(observed(model))}


def everything(voice: str, graph: str) -> list[ModelProto]:
    """A graph in all the ways there are."""
    model = case(voice, graph).model
    ranges = guessed(model)
    return [
        qdq(model, ranges),
        qdq(model, ranges, single_rows=True, residual=True),
        qdq(model, ranges, scales="fp32", single_rows=True),
    ]


def constant(view: GraphView, name: str) -> Array:
    return numpy_helper.to_array(view.weights[name])


@pytest.mark.parametrize(("voice", "graph"), CASES)
def test_every_quantized_graph_keeps_tensorrts_rules(voice: str, graph: str) -> None:
    for model in everything(voice, graph):
        view = GraphView(model)
        for node in view.nodes:
            if node.op_type == "QuantizeLinear":
                check_quantize(view, node)
            elif node.op_type == "DequantizeLinear":
                check_dequantize(view, node)
            else:
                check_other(view, node)
        assert model.opset_import[0].version == 19
        names = Counter(node.name for node in view.nodes)
        assert max(names.values()) == 1


def check_quantize(view: GraphView, node: NodeProto) -> None:
    value, scale, zero = node.input
    assert view.kind(value) == view.kind(scale), "strong typing: input and scale are of one type"
    assert view.weights[zero].data_type == TensorProto.INT8
    assert not constant(view, zero).any()
    assert constant(view, scale).shape == ()
    assert constant(view, scale) > 0
    made = view.maker.get(value)
    assert made is None or made.op_type != "Concat", "TensorRT would move it in front"
    if made is not None and made.op_type in ("Conv", "MatMul"):
        assert [t.op_type for t in view.takers[value]] != ["Add"], "Conv and Add are fused"


def check_dequantize(view: GraphView, node: NodeProto) -> None:
    value, scale, zero = node.input
    assert view.kind(value) == TensorProto.INT8, "INT32 biases are refused"
    assert view.kind(node.output[0]) == view.kind(scale)
    assert not constant(view, zero).any()
    if value in view.weights:
        (taker,) = view.takers[node.output[0]]
        axis = 0 if taker.op_type == "Conv" else 1
        assert helper.get_node_attr_value(node, "axis") == axis
        assert constant(view, scale).shape == (constant(view, value).shape[axis],)
        assert taker.input[1] == node.output[0]
        assert constant(view, value).min() >= -TOP
    else:
        assert constant(view, scale).shape == ()


def check_other(view: GraphView, node: NodeProto) -> None:
    if node.op_type in ("LSTM", "LayerNormalization", "Softmax"):
        for name in node.input:
            assert not name or made_by(view, name) != "DequantizeLinear"
    if node.op_type in ("Conv", "MatMul"):
        pair = [made_by(view, name) == "DequantizeLinear" for name in node.input[:2]]
        assert pair[0] == pair[1], "both sides of a layer are in INT8, or neither"
        if node.op_type == "Conv":
            assert all(name in view.weights for name in node.input[2:]), "biases stay float"
    kinds = {view.kind(name) for name in (*node.input, *node.output) if name}
    if node.op_type in ("Concat", "Slice") and TensorProto.INT8 in kinds:
        assert kinds <= {TensorProto.INT8, TensorProto.INT64}


def made_by(view: GraphView, name: str) -> str | None:
    maker = view.maker.get(name)
    return maker.op_type if maker else None


@pytest.mark.parametrize(("voice", "graph"), CASES)
def test_every_layer_that_may_is_in_int8_and_its_weights_are_stored_so(
    voice: str, graph: str
) -> None:
    model = case(voice, graph).model
    targets = placement(model).targets
    small = GraphView(qdq(model, guessed(model), scales="fp32"))
    for target in targets:
        assert target.weight not in small.weights
        assert small.weights[f"{target.weight}/int8"].data_type == TensorProto.INT8
    quantizers = [n for n in small.nodes if n.op_type == "DequantizeLinear"]
    weights = [n for n in quantizers if n.input[0] in small.weights]
    assert len(weights) == len(targets)


@pytest.mark.parametrize(("voice", "graph"), CASES)
def test_both_twins_hold_the_same_numbers(voice: str, graph: str) -> None:
    """FP16 scales are exact, so the INT8 weights and the scales are one set."""
    model = case(voice, graph).model
    ranges = guessed(model)
    one, two = (GraphView(qdq(model, ranges, scales=s)).weights for s in ("fp16", "fp32"))
    for name, tensor in two.items():
        if tensor.data_type == TensorProto.INT8:
            assert one[name] == tensor
        elif name.endswith("/scale"):
            exact = numpy_helper.to_array(tensor)
            assert np.array_equal(numpy_helper.to_array(one[f"{name}/half"]), exact)


@pytest.mark.parametrize(("voice", "graph"), CASES)
def test_an_fp16_graph_takes_and_gives_what_the_fp32_one_does(voice: str, graph: str) -> None:
    model = case(voice, graph).model
    small = half(model)
    assert list(small.graph.input) == list(model.graph.input)
    assert list(small.graph.output) == list(model.graph.output)
    view = GraphView(small)
    for node in view.nodes:
        floats = {view.kind(name) for name in (*node.input, *node.output) if name}
        floats &= {TensorProto.FLOAT, TensorProto.FLOAT16}
        if node.op_type in ISLANDS:
            assert floats == {TensorProto.FLOAT}
        elif node.op_type != "Cast":
            assert floats <= {TensorProto.FLOAT16}


@cache
def fed(graph: str) -> list[dict[str, Array]]:
    """Of the built-in voice's sentence."""
    return list(feeds(VoicePack(ROOT / BUILT_IN), [TEXT], graph))


@cache
def measured(graph: str) -> dict[str, float]:
    seen = observe(case(BUILT_IN, graph).model, fed(graph))
    return {name: minmax(m) for name, m in seen.items()}


def signal_to_error(graph: str, candidate: ModelProto) -> float:
    """In dB, of the graph's first output over all calls of a sentence."""
    exact, other = Oracle(case(BUILT_IN, graph).model), Oracle(candidate)
    signal = error = 0.0
    for one in fed(graph):
        a, b = exact.run(one), other.run(one)
        name = next(iter(a))
        signal += float((a[name].astype(np.float64) ** 2).sum())
        error += float(((a[name] - b[name]).astype(np.float64) ** 2).sum())
    return float(10 * np.log10(signal / max(error, 1e-30)))


@pytest.mark.parametrize("graph", GRAPHS)
def test_fp16_is_near(graph: str) -> None:
    assert signal_to_error(graph, half(case(BUILT_IN, graph).model)) > 45.0


@pytest.mark.parametrize("graph", GRAPHS)
def test_int8_is_near_and_its_file_is_small(graph: str) -> None:
    model = case(BUILT_IN, graph).model
    twin = qdq(model, measured(graph), scales="fp32", single_rows=True)
    assert LEAST_DB[graph] < signal_to_error(graph, twin) < 90.0
    small = qdq(model, measured(graph), single_rows=True)
    assert abs(signal_to_error(graph, small) - signal_to_error(graph, twin)) < 3.0
    assert small.ByteSize() < 0.5 * model.ByteSize()


@pytest.mark.parametrize("graph", ["memory", "vocoder"])
def test_a_range_that_is_far_too_small_is_heard(graph: str) -> None:
    """The measure above can fail."""
    model = case(BUILT_IN, graph).model
    clipped = {name: x / 20 for name, x in measured(graph).items()}
    assert signal_to_error(graph, qdq(model, clipped, scales="fp32")) < 10.0


def test_in_int8_too_a_stream_equals_the_whole() -> None:
    """History is kept dequantized, and quantized again it is the same bytes."""
    model = case(BUILT_IN, "vocoder").model
    small = qdq(model, measured("vocoder"), scales="fp32")
    cut = [n for n in small.graph.node if n.op_type == "Slice" and n.output[0].endswith("/int8")]
    assert len(cut) == len(placement(model).targets)
    oracle, (first, second) = Oracle(small), fed("vocoder")[:2]
    names = ("mel", "excitation")
    joined = {name: np.concatenate([first[name], second[name]], -1) for name in names}
    whole = oracle.run({**joined, "state": first["state"]})
    one = oracle.run(first)
    two = oracle.run({**second, "state": one["next_state"]})
    wave = np.concatenate([one["wave"], two["wave"]], 1)
    assert np.abs(whole["wave"] - wave).max() < 1e-5
    assert np.abs(whole["next_state"] - two["next_state"]).max() < 1e-5


def test_only_the_groups_asked_for() -> None:
    model = case(BUILT_IN, "postnet").model
    names = groups(model)
    small = GraphView(qdq(model, measured("postnet"), ["fsmn 1"], "fp32"))
    layers = {n.name for n in small.nodes if n.op_type == "MatMul" and "/float" in n.input[1]}
    assert layers == set(names["fsmn 1"])
    assert qdq(model, {}, [], "fp32").graph.node == model.graph.node


def test_a_residual_sums_skip_input_may_be_quantized_too() -> None:
    model = case(BUILT_IN, "vocoder").model
    found = skips(model, placement(model).targets)
    view = GraphView(qdq(model, measured("vocoder"), scales="fp32", residual=True))
    for node in view.nodes:
        if node.name in found:
            assert sorted(made_by(view, name) == "DequantizeLinear" for name in node.input) == [
                False,
                True,
            ]


def test_an_unknown_group_and_a_missing_range_name_what_there_is() -> None:
    model = case(BUILT_IN, "memory").model
    with pytest.raises(BuildError, match=r"no groups nowhere; it has: memory_kv, entry") as error:
        qdq(model, {}, ["nowhere"])
    assert error.value.code == "group_unknown"
    for ranges in ({}, {"memory": float("nan")}, {"memory": -1.0}):
        with pytest.raises(BuildError, match="no range is known of memory in graph") as error:
            qdq(model, ranges)
        assert error.value.code == "range_missing"


@given(st.floats(0, 1e30, allow_nan=False))
def test_scales_are_fp16_numbers_that_never_vanish(largest: float) -> None:
    scale = as_scale(largest)
    assert scale == np.float32(np.float16(scale))
    assert SMALLEST <= scale <= 65504
    if SMALLEST * TOP <= largest <= 65504 * TOP:
        assert float(scale) == pytest.approx(largest / TOP, rel=1e-3)


@pytest.mark.parametrize("axis", [0, 1])
def test_weights_by_channel(axis: int) -> None:
    weight = np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32)
    weight *= np.expand_dims(np.array([1e-30, 1e-2, 1.0, 100.0], np.float32), 1 - axis)
    int8, scale = quantized(weight, axis)
    back = int8 * np.expand_dims(scale, 1 - axis)
    assert np.abs(back - weight).max(1 - axis) == pytest.approx(scale / 4, rel=1.0)
    assert np.abs(int8).max() <= TOP


def convolution(weight: Array) -> ModelProto:
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, "C", 1, "T"]) for n in "xy")
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="layer/Conv_1")
    tensor = numpy_helper.from_array(weight, "w")
    graph = helper.make_graph([node], "small", [x], [y], [tensor])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)


def test_what_fp16_cannot_hold_stays_fp32() -> None:
    small = half(convolution(np.full((1, 1, 1, 1), 1e5, np.float32)))
    x = np.ones((1, 1, 1, 3), np.float32)
    assert np.array_equal(Oracle(small).run({"x": x})["y"], 1e5 * x)


def test_an_island_may_be_named_and_an_output_needs_no_identity() -> None:
    model = convolution(np.full((1, 1, 1, 1), 1.0001, np.float32))
    x = np.ones((1, 1, 1, 3), np.float32)
    assert Oracle(half(model)).run({"x": x})["y"][0, 0, 0, 0] == 1.0
    named = half(model, ["layer/Conv_1"])
    assert Oracle(named).run({"x": x})["y"][0, 0, 0, 0] == np.float32(1.0001)
    assert all(tensor.data_type == TensorProto.FLOAT for tensor in named.graph.initializer)


def test_a_layer_of_a_graphs_input_quantizes_that() -> None:
    weight = np.random.default_rng(1).standard_normal((3, 2, 1, 1)).astype(np.float32)
    model = convolution(weight)
    target = Target("layer/Conv_1", "x", "w", 0)
    small = insert(model, {"x": 2.0}, [target])
    x = np.random.default_rng(2).uniform(-2, 2, (1, 2, 1, 50)).astype(np.float32)
    out, exact = Oracle(small).run({"x": x})["y"], Oracle(model).run({"x": x})["y"]
    assert 0 < np.abs(out - exact).max() < 0.05
    onnx.checker.check_model(small, full_check=True)


def test_the_oracle_refuses_what_is_no_graph() -> None:
    model = convolution(np.ones((1, 1, 1, 1), np.float32))
    model.graph.node[0].op_type = "Convolution"
    with pytest.raises(BuildError, match="does not take graph small") as error:
        Oracle(model)
    assert error.value.code == "graph_unreadable"
