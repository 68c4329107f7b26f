"""The INT8 forms of a graph, one for each kind of backend: what groups of layers each may have."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import onnx

from engines.ort_session import OrtSession
from engines.session import Session
from trt_build.cpu.graphs import groups as cpu_groups
from trt_build.cpu.graphs import int8_graph, usual_kept
from trt_build.oracle import Oracle
from trt_build.quantize import Scales, layer_groups, qdq


class Form(Protocol):
    """A graph, and a way to put groups of its layers on 8 bits."""

    @property
    def model(self) -> onnx.ModelProto:
        """The graph in FP32."""

    @property
    def groups(self) -> Sequence[str]:
        """All that may be on 8 bits, in the graph's order."""

    @property
    def key(self) -> str:
        """SHA-256 of what candidates are made of besides the choice of groups."""

    def alone(self, group: str) -> onnx.ModelProto:
        """One group on 8 bits, as little as possible lost elsewhere.

        Raises:
            BuildError: range_missing, rung_unsupported.
        """

    def together(self, groups: Collection[str]) -> onnx.ModelProto:
        """These groups on 8 bits, the rest as it will be built; raises the same."""

    def session(self, model: onnx.ModelProto, threads: int) -> Session:
        """A candidate, loaded on this machine's processor."""


def _key(kind: str, model: onnx.ModelProto, *made_of: object) -> str:
    digest = hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
    data = msgspec.json.encode((kind, digest, *made_of), order="deterministic")
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class QdqForm:
    """Explicit Q/DQ for TensorRT, heard on ONNX Runtime as it is written.

    ranges: the largest |x| by value. scales: of the graphs built; a group alone has FP32 around it,
    so that only INT8 is heard. single_rows, residual: see quantize.qdq.
    """

    model: onnx.ModelProto
    ranges: Mapping[str, float]
    scales: Scales = "fp16"
    single_rows: bool = False
    residual: bool = False
    groups: Sequence[str] = field(init=False)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        groups = tuple(layer_groups(self.model, single_rows=self.single_rows))
        made_of = (dict(self.ranges), self.scales, self.single_rows, self.residual)
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "key", _key("qdq", self.model, *made_of))

    def alone(self, group: str) -> onnx.ModelProto:
        """See Form."""
        return self._made([group], "fp32")

    def together(self, groups: Collection[str]) -> onnx.ModelProto:
        """See Form."""
        return self._made(groups, self.scales)

    def session(self, model: onnx.ModelProto, threads: int) -> Session:
        """See Form."""
        return Oracle(model, threads)

    def _made(self, groups: Collection[str], scales: Scales) -> onnx.ModelProto:
        return qdq(
            self.model,
            self.ranges,
            groups,
            scales,
            single_rows=self.single_rows,
            residual=self.residual,
        )


@dataclass(frozen=True)
class ProcessorForm:
    """ONNX Runtime's integer kernels on the processor, heard as the daemon runs them.

    ends: smallest and largest x by value. Groups that are not chosen compute in FP32 from weights
    stored in 8 bit, which costs no more than rounding those.
    """

    model: onnx.ModelProto
    ends: Mapping[str, tuple[float, float]]
    groups: Sequence[str] = field(init=False)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        groups = tuple(cpu_groups(self.model.graph.name, self.model))
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "key", _key("processor", self.model, dict(self.ends)))

    def alone(self, group: str) -> onnx.ModelProto:
        """See Form."""
        return self.together([group])

    def together(self, groups: Collection[str]) -> onnx.ModelProto:
        """See Form."""
        name = self.model.graph.name
        layers = cpu_groups(name, self.model)
        others = [layer for group in layers if group not in groups for layer in layers[group]]
        kept = usual_kept(name, self.model) | dict.fromkeys(others, "int8")
        return int8_graph(name, self.model, self.ends, kept)

    def session(self, model: onnx.ModelProto, threads: int) -> Session:
        """See Form."""
        return OrtSession(model.SerializeToString(), threads)
