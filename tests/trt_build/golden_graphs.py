"""The graphs of every variant there are golden vectors of, and the sizes they are used at."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import onnx
import torch

from engines.pack import Acoustic, Vocoder, VoicePack
from trt_build.export.acoustic_graph import export_acoustic
from trt_build.export.checkpoint import load_generator, load_sambert
from trt_build.export.decoder_graph import decoder_sizes
from trt_build.export.postnet_graph import postnet_lag
from trt_build.export.sambert import Sambert
from trt_build.export.vocoder_context import vocoder_context
from trt_build.export.vocoder_graph import export_vocoder
from trt_build.graph_file import read_graphs
from trt_build.profiles import (
    Sizes,
    acoustic_dimensions,
    vocoder_dimensions,
    voice_dimensions,
)

ROOT = Path(__file__).parents[2]
KANTTS = ROOT / "tests" / "data" / "kantts"
SAMBERTS = sorted(p.parent.name for p in KANTTS.glob("sambert*/config.yaml"))
HIFIGANS = sorted(p.parent.name for p in KANTTS.glob("hifigan*/config.yaml"))
BUILT_IN = "voices/yue"
ACOUSTIC_GRAPHS = ("encoder", "duration_step", "memory", "decoder_step", "postnet")
CASES = [
    *((name, graph) for name in SAMBERTS for graph in ACOUSTIC_GRAPHS),
    *((name, "vocoder") for name in HIFIGANS),
    *((BUILT_IN, graph) for graph in (*ACOUSTIC_GRAPHS, "vocoder")),
]


@dataclass(frozen=True, slots=True)
class Case:
    """One graph, and the sizes of its dynamic dimensions."""

    model: onnx.ModelProto
    dimensions: dict[str, Sizes]


def case(name: str, graph: str) -> Case:
    return _all(name)[graph]


@cache
def _all(name: str) -> dict[str, Case]:
    if name == BUILT_IN:
        pack = VoicePack(ROOT / BUILT_IN)
        models, dimensions = read_graphs(pack), voice_dimensions(pack.file)
    elif name in SAMBERTS:
        sambert = golden_sambert(name)
        models = export_acoustic(sambert)
        dimensions = acoustic_dimensions(acoustic(sambert), Vocoder())
    else:
        generator = load_generator(KANTTS / name)
        models = {"vocoder": export_vocoder(generator)}
        dimensions = vocoder_dimensions(
            acoustic(golden_sambert("sambert_16k")),
            Vocoder(vocoder_context(generator)),
            generator.config.hop_length,
        )
    return {graph: Case(model, dimensions[graph]) for graph, model in models.items()}


@cache
def golden_sambert(name: str) -> Sambert:
    """Speakers that are embeddings become ids of three random ones."""
    model = load_sambert(KANTTS / name)
    if model.takes_embeddings:
        units = model.params["speaker_units"]
        model = model.with_speakers(torch.randn(3, units, generator=torch.manual_seed(0)))
    return model


def acoustic(model: Sambert, **changes: Any) -> Acoustic:
    return Acoustic(
        **asdict(decoder_sizes(model)),
        text=model.params["encoder_projection_units"],
        postnet_lag=postnet_lag(model),
        max_symbols=model.params["max_len"],
        **changes,
    )
