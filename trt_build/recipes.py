"""The recipes of each rung, as a voice's calibration allows."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from engines.pack import VoicePack
from engines.store import Backend, Precision
from trt_build import calibration_file
from trt_build.calibration_file import Calibration
from trt_build.errors import BuildError
from trt_build.graph_file import read_graph
from trt_build.quantize import Scales, half, layer_groups, qdq
from trt_build.rungs import LADDERS, AsItIs, Candidate, Recipe

VERSION = 1  # of how candidates are made; another one makes them stale
MATRICES = ("MatMul", "Gemm", "LSTM")
Groups = Mapping[str, Collection[str]]  # of layers in INT8, by graph


class Half:
    """FP16, with islands of FP32."""

    def made_of(self, graph: str) -> str:
        """The method."""
        return f"half {VERSION}"

    def __call__(self, graph: str, model: onnx.ModelProto) -> Sequence[Candidate]:
        """The graph in FP16."""
        return (Candidate(half(model)),)


@dataclass(frozen=True, slots=True)
class Int8:
    """Explicit Q/DQ for TensorRT. groups: of layers by graph, all of a graph not named."""

    calibration: Path
    pack: VoicePack
    scales: Scales
    groups: Groups

    def made_of(self, graph: str) -> str:
        """The ranges, and what they are used for."""
        try:
            ranges = self._calibration().key
        except BuildError as error:
            ranges = error.code
        groups = sorted(self.groups[graph]) if graph in self.groups else "all"
        return f"qdq {VERSION} {self.scales} {ranges} {groups}"

    def __call__(self, graph: str, model: onnx.ModelProto) -> Sequence[Candidate]:
        """The graph with INT8 layers, if it has any that may be."""
        groups = self.groups.get(graph, layer_groups(model))
        if not groups:
            return ()
        ranges = self._calibration().ranges(graph)
        return (Candidate(qdq(model, ranges, groups, self.scales)),)

    def _calibration(self) -> Calibration:
        found = calibration_file.read(self.calibration)
        found.check(self.pack)
        return found


class DynamicInt8:
    """INT8 weights for ONNX Runtime on the processor; activations are quantized as they come."""

    def made_of(self, graph: str) -> str:
        """The method."""
        return f"dynamic {VERSION}"

    def __call__(self, graph: str, model: onnx.ModelProto) -> Sequence[Candidate]:
        """The graph with INT8 weights, if it has any matrices."""
        from onnxruntime.quantization import quantize_dynamic

        there = {node.op_type for node in model.graph.node}
        kinds = [kind for kind in MATRICES if kind in there]
        if not kinds:
            return ()
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out.onnx"
            logging.disable(logging.WARNING)  # it advises what these graphs do not need
            try:
                quantize_dynamic(model, out, op_types_to_quantize=kinds, per_channel=True)
            finally:
                logging.disable(logging.NOTSET)
            return (Candidate(read_graph(out)),)


def recipes(
    pack: VoicePack,
    backend: Backend,
    precisions: Collection[Precision],
    calibration: Path,
    groups: Groups | None = None,
) -> dict[Precision, Recipe]:
    """Recipes by precision in the ladder's order; only those asked for, if any are.

    calibration: the file of ranges; where it is missing the INT8 rungs fail and say so.

    Raises:
        BuildError: precision_unknown, the backend has no such rung.
    """
    known: dict[tuple[Backend, Precision], Recipe] = {
        ("tensorrt", "int8"): Int8(calibration, pack, "fp16", groups or {}),
        ("tensorrt", "int8-fp32-scales"): Int8(calibration, pack, "fp32", groups or {}),
        ("tensorrt", "fp16"): Half(),
        ("ort-cuda", "fp16"): Half(),
        ("ort-cpu", "int8"): DynamicInt8(),
    }
    strange = [it for it in precisions if it not in LADDERS[backend]]
    if strange:
        raise BuildError(
            "precision_unknown",
            f"{backend} has no {', '.join(strange)}; it has {', '.join(LADDERS[backend])}",
        )
    wanted = [it for it in LADDERS[backend] if not precisions or it in precisions]
    return {it: known.get((backend, it), AsItIs()) for it in wanted}
