"""Short names: of an INT8 graph they are a good part of the file."""

from __future__ import annotations

import onnx


def compact(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with values and constants numbered; inputs, outputs and nodes keep nothing
    but what a session needs."""
    small = onnx.ModelProto()
    small.CopyFrom(model)
    graph = small.graph
    graph.ClearField("value_info")
    names = {value.name: value.name for value in (*graph.input, *graph.output)}
    names[""] = ""
    for tensor in graph.initializer:
        tensor.name = names.setdefault(tensor.name, f"c{len(names)}")
    for node in graph.node:
        node.ClearField("name")
        node.ClearField("doc_string")
        for field in (node.input, node.output):
            renamed = [names.setdefault(name, f"v{len(names)}") for name in field]
            del field[:]
            field.extend(renamed)
    return small
