"""One graph through TensorRT: parsed, typed as its ONNX file says, built into a plan."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import onnx

from trt_build.errors import BuildError
from trt_build.profiles import Profile

CURE = "export the voice again with this sambertd; if you wrote the graph, use other nodes there"


@dataclass(frozen=True, slots=True)
class Plan:
    """A built graph, what the runtime loads. layers: before TensorRT fuses them."""

    data: bytes
    layers: int
    seconds: float


def build(trt: Any, model: onnx.ModelProto, profile: Profile) -> Plan:
    """Parse and build one graph, strongly typed: precision is what the ONNX file says.

    trt: the module, TensorRT's of 10.3 or later or TensorRT-RTX's. Building takes no GPU with the
    latter, and minutes of one with the former.

    Raises:
        BuildError: graph_refused, with node and operator; build_failed.
    """
    start = time.monotonic()
    log = _log(trt)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    _parse(trt, log, network, model)
    config = builder.create_builder_config()
    if any(-1 in tuple(network.get_input(i).shape) for i in range(network.num_inputs)):
        shapes = builder.create_optimization_profile()
        for name, (low, usual, high) in profile.items():
            shapes.set_shape(name, low, usual, high)
        if config.add_optimization_profile(shapes) < 0:
            raise _failed(model, log)
    data = builder.build_serialized_network(network, config)
    if data is None:
        raise _failed(model, log)
    return Plan(bytes(data), network.num_layers, time.monotonic() - start)


def _log(trt: Any) -> Any:
    """A logger that keeps the errors, and leaves the console alone."""

    class Log(trt.ILogger):  # type: ignore[misc]  # the module is not known before run time
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(message)

    return Log()


def _parse(trt: Any, log: Any, network: Any, model: onnx.ModelProto) -> None:
    parser = trt.OnnxParser(network, log)
    if parser.parse(model.SerializeToString()):
        return
    errors = [parser.get_error(i) for i in range(parser.num_errors)]
    told = "; ".join(
        f"node {error.node_name() or error.node()} ({error.node_operator() or 'no operator'}): "
        f"{error.desc()}"
        for error in errors
    )
    raise BuildError(
        "graph_refused",
        f"TensorRT does not take graph {model.graph.name}: {told or _said(log)}; {CURE}",
    )


def _failed(model: onnx.ModelProto, log: Any) -> BuildError:
    return BuildError(
        "build_failed",
        f"TensorRT cannot build graph {model.graph.name}: {_said(log)}; {CURE}",
    )


def _said(log: Any) -> str:
    return "; ".join(log.errors) or "it does not say why"
