"""What all graphs of a voice keep to, and the writer they are made with."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper, shape_inference
from torch import nn

from tests.trt_build.models import (
    GENERATORS,
    Array,
    Runner,
    noise,
    small_generator,
    small_sambert,
)
from trt_build.export.acoustic_graph import export_acoustic
from trt_build.export.graph import FlatState, Graph
from trt_build.export.vocoder_graph import export_vocoder

CONTROL_FLOW = {"Loop", "If", "Scan"}
ARITHMETIC = re.compile(r"ints_|scalar_")
REWRITTEN = {  # weight in a graph: the parameters it is made of
    r"mel_decoder\.mel_dec\.memory_kv": r"mel_decoder\.mel_dec\.pnca\.\d+\.pnca_attn\.w_h_kv",
    r"mel_decoder\.mel_dec\.(entry|enter)": r"mel_decoder\.mel_dec\.(dec_in_proj|prenet\.fcs\.\d)",
    r".*\.pnca_attn\.scaled_qkv": r".*\.pnca_attn\.w_x_qkv",
    r".*\.pnca_attn\.fc": r".*\.pnca_attn\.fc_[xh]",
    r"variance_adaptor\.\w+\.blstm": r"variance_adaptor\.\w+\.blstm",
    r"variance_adaptor\.duration_predictor\.lstm\.\d": r".*\.duration_predictor\.lstm",
    r"mel_postnet\.lstm": r"mel_postnet\.lstm",
    r"upsample_\d": r"(repeat|transpose)_upsamples\.\d\.\d\.(conv1d|deconv)",
}
ON_THE_HOST = re.compile(r"variance_adaptor\.dur_position_encoder\.|source_module\.")


@cache
def voice(name: str) -> tuple[dict[str, onnx.ModelProto], dict[str, Array]]:
    """Graphs and the parameters of their model."""
    model: nn.Module
    if name == "sambert":
        model = sambert = small_sambert()
        graphs = export_acoustic(sambert)
    else:
        model = generator = small_generator(GENERATORS[name])
        graphs = {"vocoder": export_vocoder(generator)}
    return graphs, {n: value.numpy() for n, value in model.state_dict().items()}


def test_names_of_the_graphs() -> None:
    graphs, _ = voice("sambert")
    assert list(graphs) == ["encoder", "duration_step", "memory", "decoder_step", "postnet"]
    assert [proto.graph.name for proto in graphs.values()] == list(graphs)


@pytest.mark.parametrize("name", ["sambert", "16k", "nsf", "centred_nsf"])
def test_graphs_are_plain_and_named(name: str) -> None:
    for proto in voice(name)[0].values():
        assert [(o.domain, o.version) for o in proto.opset_import] == [("", 19)]
        kinds = {node.op_type for node in proto.graph.node}
        assert not kinds & CONTROL_FLOW
        assert not [kind for kind in kinds if kind.startswith("Sequence")]
        names = [node.name for node in proto.graph.node]
        assert all(names)
        assert len(set(names)) == len(names)
        graph = shape_inference.infer_shapes(proto, strict_mode=True).graph
        values = [*graph.input, *graph.output, *graph.value_info]
        types = {v.type.tensor_type.elem_type for v in values}
        types |= {t.data_type for t in graph.initializer}
        assert types <= {TensorProto.FLOAT, TensorProto.INT64}


@pytest.mark.parametrize("name", ["sambert", "16k", "nsf", "centred_nsf"])
def test_weights_are_the_checkpoints_by_name(name: str) -> None:
    graphs, parameters = voice(name)
    weights = {t.name: t for proto in graphs.values() for t in proto.graph.initializer}
    rewritten = [n for n in weights if n not in parameters and not ARITHMETIC.match(n)]
    assert [n for n in rewritten if not any(re.match(kind, n) for kind in REWRITTEN)] == []
    for n in weights.keys() & parameters.keys():
        got, wanted = (a.squeeze() for a in (numpy_helper.to_array(weights[n]), parameters[n]))
        assert np.array_equal(got, wanted) or np.array_equal(got, wanted.T), n
    sources = "|".join(REWRITTEN.values())
    left = [n for n in parameters if n not in weights and not re.match(sources, n)]
    assert [n for n in left if not ON_THE_HOST.match(n)] == []


def test_one_name_is_one_constant() -> None:
    g = Graph("test")
    assert g.weight("w", torch.ones(2)) == g.weight("w", np.ones(2, np.float32))
    with pytest.raises(ValueError, match="called w"):
        g.weight("w", torch.zeros(2))


def test_history_is_what_came_before() -> None:
    g = Graph("test")
    state = FlatState(g)
    joined = state.history(g.input("x", ["B", "T", 2]), (3, 2), 1, "test")
    assert state.history("x", (0, 2), 1, "test") == "x"
    g.output(joined, "y", ["B", "T_more", 2])
    assert state.size == 6
    state.close()
    run, x = Runner(g.model()), noise(0, 2, 5, 2)
    before, kept = np.zeros((2, 3, 2), np.float32), run.start(2)
    for part in (x[:, :1], x[:, 1:]):
        out = run(x=part, state=kept)
        kept = out["next_state"]
        assert np.array_equal(out["y"], np.concatenate([before, part], 1))
        before = out["y"][:, -3:]


def test_state_that_is_read_must_be_written() -> None:
    state = FlatState(Graph("test"))
    state.read((4,))
    with pytest.raises(ValueError, match="1 states read, 0 written"):
        state.close()
