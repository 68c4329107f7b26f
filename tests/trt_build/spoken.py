"""The built-in voice as the audio gate hears it, and graphs whose weights are rounded."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from engines.pack import VoicePack
from engines.session import Floats
from engines.voice import Voice
from trt_build.verify import held_out, speak

BUILT_IN = Path(__file__).parents[2] / "voices" / "yue"
RATE = 16_000
FEW = (0, 7, 9)  # of the held-out sentences, the first very short


def few() -> list[str]:
    texts = held_out()
    return [texts[i] for i in FEW]


@cache
def built_in() -> VoicePack:
    return VoicePack(BUILT_IN)


@cache
def spoken() -> tuple[Floats, ...]:
    """FP32's own utterances of the few sentences."""
    with Voice.load(BUILT_IN) as voice:
        return tuple(speak(voice, few()))


def rounded(graph: str, bits: int, path: Path) -> Path:
    """A graph of the built-in voice with weights of so many bits, one scale for each channel."""
    model = onnx.load(str(built_in().graphs[graph]))
    axes = _axes(model.graph)
    for weight in model.graph.initializer:
        value = numpy_helper.to_array(weight)
        if weight.name in axes and value.ndim > 1:
            value = _rounded(value, axes[weight.name] % value.ndim, bits)
            weight.CopyFrom(numpy_helper.from_array(value, weight.name))
    onnx.save(model, str(path))
    return path


def _axes(graph: onnx.GraphProto) -> dict[str, int]:
    """Where the output channels of each weight are."""
    by_kind = {"Conv": 0, "ConvTranspose": 1, "MatMul": -1, "Gemm": -1, "LSTM": 1}
    return {n.input[1]: by_kind[n.op_type] for n in graph.node if n.op_type in by_kind} | {
        n.input[2]: 1 for n in graph.node if n.op_type == "LSTM"
    }


def _rounded(weight: npt.NDArray[np.float32], axis: int, bits: int) -> npt.NDArray[np.float32]:
    top = 2 ** (bits - 1) - 1
    others = tuple(i for i in range(weight.ndim) if i != axis)
    scale = np.abs(weight).max(axis=others, keepdims=True) / top
    scale[scale == 0.0] = 1.0
    out: npt.NDArray[np.float32] = (np.round(weight / scale) * scale).astype(np.float32)
    return out
