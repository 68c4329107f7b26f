"""A graph with a state, small enough to know what comes out of it."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper

PROFILE = {"x": [[1, 1], [1, 8], [1, 12]], "state": [[1, 4], [1, 4], [1, 4]]}


def model(output: int = TensorProto.FLOAT) -> ModelProto:
    """y = 2 * x + sum(state), next_state = state + 1."""
    nodes = [
        helper.make_node("Add", ["x", "x"], ["twice"]),
        helper.make_node("ReduceSum", ["state"], ["sum"], keepdims=1),
        helper.make_node("Add", ["twice", "sum"], ["total"]),
        helper.make_node("Cast", ["total"], ["y"], to=output),
        helper.make_node("Add", ["state", "one"], ["next_state"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "N"]),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, 4]),
        ],
        [
            helper.make_tensor_value_info("y", output, [1, "N"]),
            helper.make_tensor_value_info("next_state", TensorProto.FLOAT, [1, 4]),
        ],
        [helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)


def feeds(size: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Inputs of `size` frames."""
    rng = np.random.default_rng(seed)
    return {
        "x": rng.standard_normal((1, size)).astype(np.float32),
        "state": rng.standard_normal((1, 4)).astype(np.float32),
    }


def expected(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the graph gives."""
    return {"y": 2 * given["x"] + given["state"].sum(), "next_state": given["state"] + 1}
