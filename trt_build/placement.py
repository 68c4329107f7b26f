"""Which layers of a graph may run in INT8, and why the others stay in floating point.

The rules are those under which TensorRT has INT8 kernels that pay, and the layers that are known to
be hurt. What remains is for the search by measured loss (trt_build/sensitivity.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from trt_build.graph_view import FLOAT, GraphView, attribute

LEAST = 16  # channels; below, TensorRT's INT8 kernels pad more than they compute
STREAMS = "B"  # the dimension that counts utterances: one, seldom more
AXES = {"Conv": 0, "MatMul": 1}  # of the weight's output channels


@dataclass(frozen=True, slots=True)
class Target:
    """A layer for INT8: its node, the activation and the weight by name, the weight's axis of
    output channels."""

    node: str
    activation: str
    weight: str
    axis: int


@dataclass(frozen=True, slots=True)
class Placement:
    """targets: what may run in INT8. kept: all other layers with weights, and why they may not."""

    targets: tuple[Target, ...]
    kept: dict[str, str]


def placement(model: onnx.ModelProto, *, single_rows: bool = False) -> Placement:
    """Sort the layers of a float graph.

    single_rows: also products of one row per utterance, as the decoder's step is made of. They are
    bound by the weights' way through memory, for which TensorRT has no INT8 kernel that pays.
    """
    view = GraphView(model)
    targets, kept = [], {}
    for node in view.nodes:
        why = _why_float(view, node, single_rows)
        if why:
            kept[node.name] = why
        elif why is None:
            activation, weight = node.input[:2]
            targets.append(Target(node.name, activation, weight, AXES[node.op_type]))
    return Placement(tuple(targets), kept)


def _why_float(view: GraphView, node: onnx.NodeProto, single_rows: bool) -> str | None:
    """Why a layer stays in floating point; None if it need not, "" if it is no layer."""
    if node.op_type in ("LSTM", "ConvTranspose"):
        return f"TensorRT gains nothing from INT8 in {node.op_type}"
    if node.op_type in ("LayerNormalization", "Softmax"):
        return f"{node.op_type} loses too much in INT8"
    if node.op_type not in AXES:
        return ""
    if node.input[1] not in view.weights:
        return "both factors are activations"
    if node.op_type == "Conv":
        return _why_float_convolution(view, node)
    return _why_float_product(view, node, single_rows)


def _why_float_convolution(view: GraphView, node: onnx.NodeProto) -> str | None:
    out_channels, in_channels = view.shape(node.input[1])[:2]
    if attribute(node, "group", 1) > 1:
        return "the convolution is grouped"
    if min(int(out_channels), int(in_channels)) < LEAST:
        return f"fewer than {LEAST} channels"
    if view.is_first(node):
        return "the first convolution"
    if view.is_last(node):
        return "the last convolution"
    return None


def _why_float_product(view: GraphView, node: onnx.NodeProto, single_rows: bool) -> str | None:
    sizes = view.shape(node.input[1])
    if len(sizes) != 2 or min(int(size) for size in sizes) < LEAST:
        return f"fewer than {LEAST} channels"
    rows = set(view.shape(node.input[0])[:-1])
    if not single_rows and rows <= {1, STREAMS}:
        return "one row per utterance"
    return None


def skips(model: onnx.ModelProto, targets: tuple[Target, ...]) -> dict[str, str]:
    """By node, the value that a residual sum adds to what a target gives (or to its bias's sum).

    TensorRT fuses such a sum into the layer before it, so nothing may stand between the two.
    """
    view, found = GraphView(model), {}
    by_name = {node.name: node for node in view.nodes}
    for target in targets:
        value = by_name[target.node].output[0]
        for _ in range(2):  # the bias of a product is a sum too
            takers = view.takers[value]
            if len(takers) != 1 or takers[0].op_type != "Add":
                break
            (add,) = takers
            (other,) = [name for name in add.input if name != value] or [value]
            if other not in view.weights:
                if view.kind(other) == FLOAT and other != value:
                    found[add.name] = other
                break
            value = add.output[0]
    return found
