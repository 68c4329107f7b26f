"""Every graph of every variant, in INT8 and FP16, in NVIDIA's parser and builder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from onnx import ModelProto

from tests.trt_build.golden_graphs import BUILT_IN, CASES, case
from trt_build.builder import build
from trt_build.groups import groups
from trt_build.profiles import profile
from trt_build.quantize import half, observed, qdq

pytestmark = pytest.mark.tensorrt


def ranges(model: ModelProto) -> dict[str, float]:
    """Some range for each value; to the builder one is like another."""
    return {name: 1.0 + i % 7 for i, name in enumerate(observed(model))}


WAYS: dict[str, Callable[[ModelProto], ModelProto]] = {
    "fp16": half,
    "int8": lambda model: qdq(model, ranges(model)),
    "int8-fp32-scales": lambda model: qdq(model, ranges(model), scales="fp32"),
}
ALL_LAYERS: dict[str, Callable[[ModelProto], ModelProto]] = {
    "residual": lambda model: qdq(model, ranges(model), residual=True),
    "single rows": lambda model: qdq(model, ranges(model), single_rows=True),
    "some groups": lambda model: qdq(model, ranges(model), list(groups(model))[::2]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("voice", "graph"), CASES)
def test_graph_builds(trt: Any, voice: str, graph: str, way: str) -> None:
    it = case(voice, graph)
    model = WAYS[way](it.model)
    plan = build(trt, model, [profile(model, it.dimensions)])
    assert len(plan.data) > 1000


@pytest.mark.parametrize("way", ALL_LAYERS)
@pytest.mark.parametrize(("voice", "graph"), [c for c in CASES if c[0] == BUILT_IN])
def test_other_choices_of_layers_build(trt: Any, voice: str, graph: str, way: str) -> None:
    it = case(voice, graph)
    model = ALL_LAYERS[way](it.model)
    plan = build(trt, model, [profile(model, it.dimensions)])
    assert len(plan.data) > 1000
