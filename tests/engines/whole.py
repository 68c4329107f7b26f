"""A vocoder run over a whole utterance in one call, and what to compare with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

import numpy as np

from engines.pack import VoiceFile
from engines.session import Floats, Session, zero_state
from engines.vocoder import F0_FLOOR, Excitation
from trt_build.export.hifigan import Generator

CLOSE = 1e-4


def whole_wave(vocoder: Session, file: VoiceFile, mel: Floats) -> Floats:
    source, feeds = file.source, {"mel": mel.T[None]}
    if source is not None:
        f0 = np.maximum(mel[:, -2] * source.f0_std + source.f0_mean, F0_FLOOR)
        voiced = (mel[:, -1] >= source.voicing_threshold).astype(np.float32)
        excitation = Excitation(source, file.sample_rate, file.hop_length).feed(f0, voiced)
        feeds = {"mel": mel[:, :-2].T[None], "excitation": excitation[None, None]}
    if vocoder.state_size:
        feeds["state"] = zero_state(vocoder)
    wave: Floats = vocoder.run(feeds)["wave"][0]
    return wave


def minute(file: VoiceFile) -> int:
    """Mel frames."""
    return 60 * file.sample_rate // file.hop_length


def rate(name: str) -> int:
    """Hz, of a golden by its name."""
    return 1000 * int(name.rsplit("_", 1)[1].removesuffix("k"))


def merging(generator: Generator) -> tuple[tuple[float, ...], float]:
    """Weights and bias that merge the partials of an excitation."""
    state = generator.state_dict()
    weight, bias = state["source_module.ffn.0.weight"], state["source_module.ffn.0.bias"]
    return tuple(weight.flatten().tolist()), bias.item()


def distance(got: Floats, wanted: Floats) -> float:
    assert got.shape == wanted.shape
    return float(np.abs(got - wanted).max())


def cut(values: Floats, sizes: Sequence[int]) -> Iterator[Floats]:
    """Pieces of these sizes, again and again until the values end."""
    at, repeated = 0, cycle(sizes)
    while at < len(values):
        size = next(repeated)
        yield values[at : at + size]
        at += size
