"""A voice's graphs in INT8 for a processor: which layers, and how the others are stored."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from trt_build.cpu.compact import compact
from trt_build.cpu.convolutions import convolutions, integer_convolutions, observed
from trt_build.cpu.products import integer_products
from trt_build.cpu.values import Ranges
from trt_build.cpu.writer import Storage, layer

CONVOLUTIONAL = "vocoder"
Kept = Mapping[str, Storage]


def calibrated(graph: str, model: onnx.ModelProto) -> list[str]:
    """Values of a graph whose ranges its INT8 form needs; most need none."""
    return observed(model) if graph == CONVOLUTIONAL else []


def usual_kept(graph: str, model: onnx.ModelProto) -> dict[str, Storage]:
    """Layers that are kept in FP32 from the start.

    Of the vocoder what makes samples at the full rate, where the noise of 8 bits is heard in every
    pause, and its first layer; of the postnet the LSTM, whose integers would depend on how the
    frames are cut; of the durations all, as one frame more or less moves the rest of the sentence.
    """
    nodes = model.graph.node
    if graph == CONVOLUTIONAL:
        names = convolutions(model)
        ups = [i for i, name in enumerate(names) if name.startswith("upsample_")]
        if not ups:
            return dict.fromkeys(names, "int8")
        return dict.fromkeys([*names[:1], *names[ups[-1] :], names[ups[-2:][0]]], "int8")
    if graph == "postnet":
        return {layer(node): "fp16" for node in nodes if node.op_type == "LSTM"}
    if graph == "duration_step":
        return {layer(node): "fp16" for node in nodes}
    return {}


def groups(graph: str, model: onnx.ModelProto) -> dict[str, tuple[str, ...]]:
    """Layers that are on integers by default, in groups to be tried: a block or a stage each."""
    kept = usual_kept(graph, model)
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(_layers(graph, model)):
        if name not in kept:
            found.setdefault(_group(name), []).append(name)
    return {group: tuple(names) for group, names in found.items()}


def int8_graph(
    graph: str, model: onnx.ModelProto, ranges: Ranges, kept: Kept | None = None
) -> onnx.ModelProto:
    """The graph in INT8, as ONNX Runtime's CPU provider runs it; inputs and outputs stay.

    ranges: of the values `calibrated` names. kept: layers to leave in FP32 and how they are
    stored, `usual_kept` unless given.

    Raises:
        BuildError: rung_unsupported, range_missing.
    """
    kept = usual_kept(graph, model) if kept is None else kept
    if graph == CONVOLUTIONAL:
        return compact(integer_convolutions(model, ranges, kept))
    return compact(integer_products(model, kept))


def _layers(graph: str, model: onnx.ModelProto) -> list[str]:
    if graph == CONVOLUTIONAL:
        return convolutions(model)
    weights = {t.name for t in model.graph.initializer}
    kinds = ("MatMul", "LSTM", "Conv")
    return [layer(n) for n in model.graph.node if n.op_type in kinds and n.input[1] in weights]


def _group(name: str) -> str:
    """conv_blocks.3.convs1.0.conv1d -> conv_blocks.3; x.pnca.4.pos_ffn.w_1 -> x.pnca.4.pos_ffn."""
    parts = name.split(".")
    numbers = [i for i, part in enumerate(parts) if part.isdigit()]
    if not numbers:
        return name
    end = numbers[0] + 1
    if parts[0] != "conv_blocks" and len(parts) > end + 1:
        end += 1
    return ".".join(parts[:end])
