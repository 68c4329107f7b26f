"""The shapes that the graphs of a voice are built for: as narrow as what the engines feed them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import onnx

from engines import pipeline
from engines.acoustic import BLOCK
from engines.decoding import SLOTS
from engines.fixed_sizes import fixed_sizes
from engines.pack import Acoustic, Vocoder, VoiceFile
from trt_build.errors import BuildError

USUAL_SYMBOLS = 64  # of a sentence


class Sizes(NamedTuple):
    """Bounds of one dimension, and the size to be fastest at."""

    min: int
    opt: int
    max: int


class Shapes(NamedTuple):
    """Bounds of one input, and the shape to be fastest at."""

    min: tuple[int, ...]
    opt: tuple[int, ...]
    max: tuple[int, ...]


Profile = dict[str, Shapes]
Buckets = tuple[Profile, ...]


def exactly(size: int) -> Sizes:
    """A dimension that has one size."""
    return Sizes(size, size, size)


def voice_dimensions(voice: VoiceFile) -> dict[str, dict[str, Sizes]]:
    """Sizes of the dynamic dimensions of all graphs of a voice, by graph and by name."""
    return {
        **acoustic_dimensions(voice.acoustic, voice.vocoder),
        **vocoder_dimensions(voice.acoustic, voice.vocoder, voice.hop_length),
    }


def acoustic_dimensions(sizes: Acoustic, vocoder: Vocoder) -> dict[str, dict[str, Sizes]]:
    """The same of SAMBERT's graphs.

    T symbols, S decoder steps whose memory is projected at once, B slots, K keys a step may see,
    itself last, N frames of a chunk.
    """
    chunk, keys = chunk_frames(sizes, vocoder), 2 * sizes.window
    slots = {"B": Sizes(1, 1, SLOTS)}
    return {
        "encoder": {"T": Sizes(1, min(USUAL_SYMBOLS, sizes.max_symbols), sizes.max_symbols)},
        "duration_step": slots,
        "memory": {"S": Sizes(1, BLOCK, BLOCK)},
        "decoder_step": {**slots, "K": exactly(keys), "K_before": exactly(keys - 1)},
        "postnet": {
            "B": exactly(1),
            "N": chunk,
            "N_lag": Sizes(*(size + sizes.postnet_lag for size in chunk)),
        },
    }


def vocoder_dimensions(
    sizes: Acoustic, vocoder: Vocoder, hop_length: int
) -> dict[str, dict[str, Sizes]]:
    """The same of HiFi-GAN's graph: B streams, T mel frames, `samples` of excitation.

    A vocoder that looks ahead is also given the frames around its chunk.
    """
    least, usual, most = chunk_frames(sizes, vocoder)
    around = 2 * vocoder.context
    frames = Sizes(least, usual + around, most + around)
    samples = Sizes(*(size * hop_length for size in frames))
    return {"vocoder": {"B": exactly(1), "T": frames, "samples": samples}}


def chunk_frames(sizes: Acoustic, vocoder: Vocoder) -> Sizes:
    """Mel frames that the postnet gets at once, and the vocoder after it.

    The decoder hands over whole steps, so a chunk may be some frames larger than planned, and the
    last one flushes the postnet's lag.
    """
    first, usual = pipeline.chunk_frames(vocoder.context)
    first += sizes.postnet_lag + vocoder.context
    most = max(usual, first) + sizes.frames_per_step - 1 + sizes.postnet_lag
    return Sizes(1, usual, most)


def profile(model: onnx.ModelProto, dimensions: Mapping[str, Sizes]) -> Profile:
    """The shapes of a graph's inputs, by name.

    Raises:
        BuildError: dimension_unknown, a dynamic dimension has no name, or one not in `dimensions`.
    """
    return {value.name: _shapes(model, value, dimensions) for value in model.graph.input}


def buckets(model: onnx.ModelProto, dimensions: Mapping[str, Sizes], voice: VoiceFile) -> Buckets:
    """The shapes that come over and over, each by itself, and then the whole range.

    An engine is fastest at shapes it was built for alone. Which come often: engines/fixed_sizes.py.

    Raises:
        BuildError: dimension_unknown.
    """
    whole = profile(model, dimensions)
    often = [
        {name: _pinned(shapes, sizes.get(name, 1)) for name, shapes in whole.items()}
        for sizes in fixed_sizes(model.graph.name, voice)
    ]
    return (*(one for one in often if one != whole and _within(one, whole)), whole)


def _pinned(shapes: Shapes, size: int) -> Shapes:
    """The same with what varies at one size."""
    shape = tuple(
        low if low == high else size for low, high in zip(shapes.min, shapes.max, strict=True)
    )
    return Shapes(shape, shape, shape)


def _within(one: Profile, whole: Profile) -> bool:
    return all(
        low <= size <= high
        for name, shapes in one.items()
        for low, size, high in zip(whole[name].min, shapes.opt, whole[name].max, strict=True)
    )


def _shapes(
    model: onnx.ModelProto, value: onnx.ValueInfoProto, dimensions: Mapping[str, Sizes]
) -> Shapes:
    axes = []
    for dim in value.type.tensor_type.shape.dim:
        sizes = dimensions.get(dim.dim_param)
        if dim.HasField("dim_value"):
            sizes = exactly(dim.dim_value)
        if sizes is None:
            raise BuildError(
                "dimension_unknown",
                f"input {value.name} of graph {model.graph.name} has a dimension "
                f"{dim.dim_param or 'with no name'!r} of no known size; export the voice with the "
                "sambertd that reads it, or state the size in trt_build/profiles.py",
            )
        axes.append(sizes)
    return Shapes(*(tuple(sizes) for sizes in zip(*axes, strict=True)))
