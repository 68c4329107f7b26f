"""The recipes of each rung, as a voice's calibration allows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx

from engines.pack import VoicePack
from engines.store import Backend, Precision
from trt_build import calibration_file
from trt_build.calibration_file import Calibration
from trt_build.cpu.graphs import calibrated
from trt_build.errors import BuildError
from trt_build.forms import Form, ProcessorForm, QdqForm
from trt_build.hearing import Hearing
from trt_build.quantize import Scales, half, layer_groups
from trt_build.rungs import LADDERS, AsItIs, Candidate, Recipe
from trt_build.sensitivity import Choice

VERSION = 2  # of how candidates are made; another one makes them stale


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
    """Layers on 8 bits, as many as pass the gate.

    kind: Q/DQ for TensorRT with FP16 or FP32 scales, or the processor's integer kernels. heard: who
    judges them; without anybody all layers that may are taken.
    """

    calibration: Path
    pack: VoicePack
    kind: Scales | Literal["processor"]
    heard: Hearing | None

    def made_of(self, graph: str) -> str:
        """The ranges, and what they are used for."""
        try:
            ranges = self._calibration().key
        except BuildError as error:
            ranges = error.code
        return f"int8 {VERSION} {self.kind} {ranges}"

    def __call__(self, graph: str, model: onnx.ModelProto) -> Sequence[Candidate]:
        """The graph with INT8 layers, if it has any that may be."""
        form = self._form(graph, model)
        if not form.groups and self.kind != "processor":
            return ()
        if not form.groups or self.heard is None:
            return (Candidate(form.together(form.groups)),)
        choice = self.heard.choose(form, "int8")
        return tuple(_candidate(form, groups) for groups in _with_less(choice))

    def _form(self, graph: str, model: onnx.ModelProto) -> Form:
        if self.kind == "processor":
            ends = self._calibration().ends(graph) if calibrated(graph, model) else {}
            return ProcessorForm(model, ends)
        if not layer_groups(model):
            return QdqForm(model, {}, self.kind)
        return QdqForm(model, self._calibration().ranges(graph), self.kind)

    def _calibration(self) -> Calibration:
        found = calibration_file.read(self.calibration)
        found.check(self.pack)
        return found


def _with_less(choice: Choice) -> list[Sequence[str]]:
    """The groups chosen and, in case all graphs together lose too much, the better half of them."""
    ranked = [trial.groups[0] for trial in choice.alone if trial.groups[0] in choice.groups]
    better = ranked[len(ranked) // 2 :]  # the worst come first
    half = [name for name in choice.groups if name in better]
    return [choice.groups, half] if 0 < len(half) < len(choice.groups) else [choice.groups]


def _candidate(form: Form, groups: Sequence[str]) -> Candidate:
    whole = len(groups) == len(form.groups)
    note = "" if whole else f"{len(groups)} of {len(form.groups)} groups of layers"
    return Candidate(form.together(groups), note)


def recipes(
    pack: VoicePack,
    backend: Backend,
    precisions: Collection[Precision],
    calibration: Path,
    heard: Hearing | None = None,
) -> dict[Precision, Recipe]:
    """Recipes by precision in the ladder's order; only those asked for, if any are.

    calibration: the file of ranges; where it is missing the rungs that need it fail and say so.
    heard: chooses the layers that are put on 8 bits.

    Raises:
        BuildError: precision_unknown, the backend has no such rung.
    """
    known: dict[tuple[Backend, Precision], Recipe] = {
        ("tensorrt", "int8"): Int8(calibration, pack, "fp16", heard),
        ("tensorrt", "int8-fp32-scales"): Int8(calibration, pack, "fp32", heard),
        ("tensorrt", "fp16"): Half(),
        ("ort-cuda", "fp16"): Half(),
        ("ort-cpu", "int8"): Int8(calibration, pack, "processor", heard),
    }
    strange = [it for it in precisions if it not in LADDERS[backend]]
    if strange:
        raise BuildError(
            "precision_unknown",
            f"{backend} has no {', '.join(strange)}; it has {', '.join(LADDERS[backend])}",
        )
    wanted = [it for it in LADDERS[backend] if not precisions or it in precisions]
    return {it: known.get((backend, it), AsItIs()) for it in wanted}
