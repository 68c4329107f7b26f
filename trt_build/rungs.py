"""The rungs of each backend's ladder, and what a recipe for one of them is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import onnx

from engines.store import Backend, Precision

LADDERS: Mapping[Backend, tuple[Precision, ...]] = MappingProxyType(
    {
        "tensorrt": ("int8", "int8-fp32-scales", "fp16", "fp32"),
        "ort-cuda": ("fp16", "fp32"),
        "ort-cpu": ("int8", "fp32"),
    }
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A graph that may take the place of the voice's own. note: which of a recipe's it is."""

    model: onnx.ModelProto
    note: str = ""


class Recipe(Protocol):
    """How graphs of one precision are made."""

    def made_of(self, graph: str) -> str:
        """All that the candidates for this graph depend on besides the graph itself.

        A calibration's key, the layers chosen, the version of the method: if it is the same, what
        was built before is still good. It is asked before any work is done.
        """

    def __call__(self, graph: str, model: onnx.ModelProto) -> Sequence[Candidate]:
        """Candidates for this graph; none if there is nothing in it to change.

        Raises:
            BuildError: there can be none.
        """


class AsItIs:
    """The rung "fp32": the graph of the voice pack."""

    def made_of(self, graph: str) -> str:
        """Nothing else."""
        return ""

    def __call__(self, graph: str, model: onnx.ModelProto) -> Sequence[Candidate]:
        """The graph."""
        return (Candidate(model),)
