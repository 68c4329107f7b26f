"""INT8 graphs for a processor: near the FP32 ones, the same however a stream is cut, and small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from engines.quiet_ort import ort
from tests.trt_build.golden_graphs import BUILT_IN, CASES, HIFIGANS, SAMBERTS, case
from trt_build.cpu.convolutions import integer_convolutions, observed
from trt_build.cpu.graphs import calibrated, groups, int8_graph, usual_kept
from trt_build.cpu.products import block_size, blocks
from trt_build.cpu.writer import MICROSOFT
from trt_build.errors import BuildError

Array = npt.NDArray[Any]
Feeds = dict[str, Array]
VOCODERS = [*HIFIGANS, BUILT_IN]
AMPLIFIES = "hifigan_noncausal_nsf_v1_16k"  # its random weights make rounding grow; docs/PARITY.md


def session(model: onnx.ModelProto) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


def outputs(run: ort.InferenceSession, feeds: Feeds) -> Feeds:
    names = [output.name for output in run.get_outputs()]
    return dict(zip(names, run.run(names, feeds), strict=True))


def feeds_of(name: str, graph: str, seed: int) -> Feeds:
    """Random inputs at the usual sizes of a graph; no state yet, nothing masked."""
    made, rng = case(name, graph), np.random.default_rng(seed)
    feeds: Feeds = {}
    for value in made.model.graph.input:
        kind = value.type.tensor_type
        shape = [d.dim_value or made.dimensions[d.dim_param].opt for d in kind.shape.dim]
        if kind.elem_type == onnx.TensorProto.INT64:
            feeds[value.name] = np.ones(shape, np.int64)
        elif value.name in ("state", "mask"):
            feeds[value.name] = np.zeros(shape, np.float32)
        elif value.name == "valid":
            feeds[value.name] = np.ones(shape, np.float32)
        else:
            feeds[value.name] = rng.standard_normal(shape).astype(np.float32)
    return feeds


def ranges_of(model: onnx.ModelProto, values: Sequence[str], feeds: Feeds) -> Mapping[str, Any]:
    seen = onnx.ModelProto()
    seen.CopyFrom(model)
    seen.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in values)
    out = outputs(session(seen), feeds)
    return {name: (float(out[name].min()), float(out[name].max())) for name in values}


def snr(reference: Array, other: Array) -> float:
    """In dB."""
    noise = float(np.square(reference - other).sum())
    return float(10.0 * np.log10(float(np.square(reference).sum()) / max(noise, 1e-30)))


@cache
def made(name: str, graph: str) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """A graph in FP32 and in INT8, calibrated on other inputs than the tests use."""
    model = case(name, graph).model
    values = calibrated(graph, model)
    ranges = ranges_of(model, values, feeds_of(name, graph, 1)) if values else {}
    return model, int8_graph(graph, model, ranges)


@pytest.mark.parametrize(("name", "graph"), CASES)
def test_int8_is_near_fp32(name: str, graph: str) -> None:
    model, small = made(name, graph)
    feeds = feeds_of(name, graph, 2)
    wanted, got = outputs(session(model), feeds), outputs(session(small), feeds)
    assert wanted.keys() == got.keys()
    for key, value in wanted.items():
        if key == "next_state" and graph == "vocoder":
            assert got[key].shape == value.shape  # laid out otherwise
        elif np.abs(value).max() > 0:
            assert snr(value, got[key]) > (8.0 if name == AMPLIFIES else 20.0), key


@pytest.mark.parametrize("graph", ["encoder", "memory", "decoder_step", "postnet", "vocoder"])
def test_the_built_in_voice_gets_small(graph: str) -> None:
    model, small = made(BUILT_IN, graph)
    assert small.ByteSize() < 0.36 * model.ByteSize()


def test_integers_are_computed_on() -> None:
    kinds = {
        graph: {node.op_type for node in made(BUILT_IN, graph)[1].graph.node}
        for graph in ("encoder", "decoder_step", "vocoder")
    }
    assert "QLinearConv" in kinds["vocoder"]
    assert "MatMulNBits" in kinds["decoder_step"]
    assert {"MatMulNBits", "DynamicQuantizeLSTM"} <= kinds["encoder"]


def stream(run: ort.InferenceSession, feeds: Feeds, cuts: Sequence[int]) -> Array:
    """The wave of a causal vocoder fed piece by piece."""
    state, at = {"state": feeds["state"]}, 0
    waves: list[Array] = []
    hop = feeds["excitation"].shape[-1] // feeds["mel"].shape[-1] if "excitation" in feeds else 0
    while at < feeds["mel"].shape[-1]:
        end = at + cuts[len(waves) % len(cuts)]
        part = {"mel": feeds["mel"][..., at:end]}
        if hop:
            part["excitation"] = feeds["excitation"][..., at * hop : end * hop]
        out = outputs(run, part | state)
        state, at = {"state": out["next_state"]}, end
        waves.append(out["wave"])
    return np.concatenate(waves, -1)


@pytest.mark.parametrize(
    "name",
    [n for n in VOCODERS if any(i.name == "state" for i in case(n, "vocoder").model.graph.input)],
)
@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_a_stream_is_the_same_however_it_is_cut(name: str, cuts: list[int]) -> None:
    run, feeds = session(made(name, "vocoder")[1]), feeds_of(name, "vocoder", 3)
    whole = outputs(run, feeds)["wave"]
    np.testing.assert_allclose(stream(run, feeds, cuts), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", HIFIGANS)
def test_layers_kept_are_exact(name: str) -> None:
    """With all layers in FP32 only their FP16 storage is left of the difference."""
    model = case(name, "vocoder").model
    names = {n.name.rpartition("/")[0] for n in model.graph.node}
    kept = int8_graph("vocoder", model, {}, dict.fromkeys(names, "fp16"))
    feeds = feeds_of(name, "vocoder", 2)
    wanted, got = outputs(session(model), feeds)["wave"], outputs(session(kept), feeds)["wave"]
    assert snr(wanted, got) > (38.0 if name == AMPLIFIES else 50.0)


def test_one_group_at_a_time_can_be_kept() -> None:
    model = case(BUILT_IN, "vocoder").model
    feeds = feeds_of(BUILT_IN, "vocoder", 1)
    ranges = ranges_of(model, observed(model), feeds)
    usual = usual_kept("vocoder", model)
    wanted = outputs(session(model), feeds)["wave"]
    base = snr(wanted, outputs(session(int8_graph("vocoder", model, ranges)), feeds)["wave"])
    for layers in groups("vocoder", model).values():
        kept = int8_graph("vocoder", model, ranges, usual | dict.fromkeys(layers, "int8"))
        got = outputs(session(kept), feeds)["wave"]
        assert snr(wanted, got) > base - 3.0
    assert set(usual).isdisjoint(x for names in groups("vocoder", model).values() for x in names)


def test_groups_hold_every_layer_once() -> None:
    for graph in ("encoder", "decoder_step", "postnet"):
        model = case(BUILT_IN, graph).model
        names = [name for layers in groups(graph, model).values() for name in layers]
        assert len(names) == len(set(names)) > 2


def test_a_missing_range_is_told() -> None:
    with pytest.raises(BuildError, match="calibrate again") as caught:
        int8_graph("vocoder", case(BUILT_IN, "vocoder").model, {})
    assert caught.value.code == "range_missing"


def test_an_unknown_node_is_told() -> None:
    model = onnx.ModelProto()
    model.CopyFrom(case(BUILT_IN, "vocoder").model)
    model.graph.node[3].op_type = "Softsign"
    with pytest.raises(BuildError, match="Softsign") as caught:
        integer_convolutions(model, {})
    assert caught.value.code == "rung_unsupported"


@pytest.mark.parametrize(
    ("inner", "size"), [(1024, 256), (160, 32), (128, 128), (80, 32), (96, 32)]
)
def test_blocks_fit_the_weights(inner: int, size: int) -> None:
    assert block_size(inner) == size
    weight = np.random.default_rng(0).standard_normal((inner, 5)).astype(np.float32)
    packed, scales = blocks(weight, size)
    wide = (packed.astype(np.float32) - 128) * scales.reshape(5, -1, 1)
    back = wide.reshape(5, -1)[:, :inner].T
    assert np.abs(back - weight).max() <= np.abs(weight).max() / 127 / 2 + 1e-6


@pytest.mark.parametrize("name", SAMBERTS)
def test_decoder_batches_do_not_mix(name: str) -> None:
    run, feeds = session(made(name, "decoder_step")[1]), feeds_of(name, "decoder_step", 4)
    other = feeds_of(name, "decoder_step", 5)
    both = {key: np.concatenate([value, other[key]]) for key, value in feeds.items()}
    alone, together = outputs(run, feeds), outputs(run, both)
    for key, value in alone.items():
        np.testing.assert_allclose(together[key][:1], value, rtol=0, atol=1e-4)


def test_the_operators_are_onnx_runtimes_own() -> None:
    domains = {n.domain for n in made(BUILT_IN, "vocoder")[1].graph.node}
    assert domains == {"", MICROSOFT}
