"""A float graph and its ranges become graphs for each precision that a box may build."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

import onnx

from trt_build.errors import BuildError
from trt_build.groups import groups as layer_groups
from trt_build.half import half
from trt_build.placement import placement, skips
from trt_build.qdq import insert

__all__ = ["Scales", "half", "layer_groups", "observed", "qdq"]

Scales = Literal["fp16", "fp32"]


def observed(model: onnx.ModelProto) -> tuple[str, ...]:
    """The values whose ranges any quantization of this graph may ask for, in order, each once."""
    targets = placement(model, single_rows=True).targets
    names = [target.activation for target in targets]
    return tuple(dict.fromkeys([*names, *skips(model, targets).values()]))


def qdq(
    model: onnx.ModelProto,
    ranges: Mapping[str, float],
    groups: Collection[str] | None = None,
    scales: Scales = "fp16",
    *,
    single_rows: bool = False,
    residual: bool = False,
) -> onnx.ModelProto:
    """The graph with these groups of layers (all, unless named) in INT8, the rest in FP16.

    ranges: the largest |x| by value, as a Calibration gives them. scales: "fp32" leaves all that is
    not INT8 in FP32, for builders that cannot take FP16 scales; the INT8 weights and the scales'
    values are the same. single_rows, residual: see placement and qdq.insert.

    Raises:
        BuildError: group_unknown; range_missing.
    """
    known = layer_groups(model, single_rows=single_rows)
    chosen = set(known if groups is None else groups)
    if not chosen <= known.keys():
        raise BuildError(
            "group_unknown",
            f"graph {model.graph.name} has no groups {', '.join(sorted(chosen - known.keys()))}; "
            f"it has: {', '.join(known) or 'none that may run in INT8'}",
        )
    nodes = {node for name in chosen for node in known[name]}
    targets = [t for t in placement(model, single_rows=single_rows).targets if t.node in nodes]
    out = insert(model, ranges, targets, residual=residual)
    return half(out) if scales == "fp16" else out
