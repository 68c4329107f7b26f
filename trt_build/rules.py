"""What every graph of a voice keeps to; TensorRT, calibration and bug reports rely on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import onnx
from onnx import TensorProto, numpy_helper

OPSET = 19  # Q/DQ scales may be FP16 from here on; TensorRT 10.3 reads up to 20
# Each is in the table of the parser of TensorRT 10.1 (onnx-tensorrt, docs/operators.md), the
# newest that is known to be no newer than JetPack 6's. Neither sequences nor control flow.
OPERATORS = (
    "Add Concat Conv Gather Identity LSTM LayerNormalization LeakyRelu MatMul Mul Relu Reshape "
    "Shape Sigmoid Sin Slice Softmax Split Squeeze Sub Tanh Transpose Unsqueeze"
)
KINDS = (TensorProto.FLOAT, TensorProto.INT64)


def faults(model: onnx.ModelProto) -> list[str]:
    """What in a graph breaks the rules, in words; an empty list if nothing does.

    Opset 19; no operators but these; convolutions are 2-D; weights are float32, indices int64, none
    stored twice; nodes and dimensions have names.
    """
    return [
        *_opset(model),
        *(fault for node in model.graph.node for fault in _node(node)),
        *_convolutions(model.graph),
        *_weights(model.graph),
        *_names(model.graph),
        *_dimensions(model.graph),
    ]


def _opset(model: onnx.ModelProto) -> Iterator[str]:
    found = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    if found != {"ai.onnx": OPSET}:
        yield f"opset is {found}, not {OPSET}"


def _node(node: onnx.NodeProto) -> Iterator[str]:
    if not node.name:
        yield f"a {node.op_type} has no name"
    if node.op_type not in OPERATORS.split():
        yield f"{node.name} is a {node.op_type}, which is not in the list of trt_build/rules.py"


def _convolutions(graph: onnx.GraphProto) -> Iterator[str]:
    ranks = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv" and ranks.get(node.input[1]) != 4:
            yield f"{node.name} has no constant weight of 2-D convolutions"


def _weights(graph: onnx.GraphProto) -> Iterator[str]:
    """Vectors of one value, as untrained layers have, may be alike."""
    seen: dict[tuple[str, tuple[int, ...], bytes], str] = {}
    for tensor in graph.initializer:
        if tensor.data_type not in KINDS:
            yield f"{tensor.name} is {TensorProto.DataType.Name(tensor.data_type)}"
        value = numpy_helper.to_array(tensor)
        if value.size > 1 and (value == value.flat[0]).all():
            continue
        same = seen.setdefault((value.dtype.name, value.shape, value.tobytes()), tensor.name)
        if same != tensor.name:
            yield f"{tensor.name} is stored twice, also as {same}"


def _names(graph: onnx.GraphProto) -> Iterator[str]:
    for name, count in Counter(node.name for node in graph.node if node.name).items():
        if count > 1:
            yield f"{count} nodes are called {name}"


def _dimensions(graph: onnx.GraphProto) -> Iterator[str]:
    for value in (*graph.input, *graph.output):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value") and not dim.dim_param:
                yield f"dimension {axis} of {value.name} has neither size nor name"
