"""The shapes that engines are built for hold all that the daemon feeds them, and little more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from benchmarks import random_voice
from engines import pipeline
from engines.decoding import SLOTS
from engines.ort_session import OrtSession
from engines.pack import GRAPHS, Acoustic, Vocoder, VoicePack
from engines.session import Array
from engines.voice import Style, Voice
from tests.trt_build.golden_graphs import CASES, case
from trt_build.errors import BuildError
from trt_build.export.hifigan import Generator
from trt_build.graph_file import read_graphs
from trt_build.profiles import (
    Sizes,
    acoustic_dimensions,
    buckets,
    chunk_frames,
    exactly,
    profile,
    vocoder_dimensions,
    voice_dimensions,
)

ACOUSTIC = Acoustic(
    mels=80,
    frames_per_step=3,
    layers=6,
    heads=8,
    width=128,
    memory=160,
    text=32,
    postnet_lag=12,
    max_symbols=800,
    window=13,
)


def within(shape: tuple[int, ...], low: tuple[int, ...], high: tuple[int, ...]) -> bool:
    return len(shape) == len(low) and all(
        a <= size <= b for a, size, b in zip(low, shape, high, strict=True)
    )


def tiny_voice(out: Path, *, causal: bool, nsf: bool) -> Path:
    models = random_voice.tiny(nsf=nsf)
    if not causal:
        with torch.random.fork_rng():
            config = replace(models.generator.config, causal=False)
            models = replace(models, generator=Generator(config).eval())
    return random_voice.write(models, out, "tiny")


@pytest.mark.parametrize(("causal", "nsf"), [(True, True), (False, False)])
def test_what_the_engines_feed_is_within(
    causal: bool, nsf: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_voice(tmp_path / "tiny", causal=causal, nsf=nsf)
    pack = VoicePack(folder)
    dimensions = voice_dimensions(pack.file)
    profiles = {
        str(pack.graphs[name]): profile(model, dimensions[name])
        for name, model in read_graphs(pack).items()
    }
    faults: list[str] = []
    seen: set[str] = set()
    run = OrtSession.run

    def spied(session: OrtSession, feeds: Mapping[str, Array]) -> dict[str, Array]:
        path = str(session._name)
        for name, (low, _, high) in profiles[path].items():
            shape = feeds[name].shape
            if not within(shape, low, high):
                faults.append(f"{path}: {name} {shape} is not within {low} to {high}")
        seen.add(path)
        return run(session, feeds)

    monkeypatch.setattr(OrtSession, "run", spied)
    with Voice.load(folder) as voice:
        for text in ("啊。", "今天天气真好，我们去公园走走，看看花，喝杯茶，再慢慢地走回家。"):
            for speed in (0.5, 2.0):
                for _ in voice.stream(voice.plan(text, Style(speed=speed))):
                    pass
    assert faults == []
    assert seen == profiles.keys()


@pytest.mark.parametrize(("voice", "graph"), CASES)
def test_every_graph_has_a_profile(voice: str, graph: str) -> None:
    it = case(voice, graph)
    shapes = profile(it.model, it.dimensions)
    assert shapes.keys() == {value.name for value in it.model.graph.input}
    for low, usual, high in shapes.values():
        assert len(low) == len(usual) == len(high)
        assert all(1 <= a <= b <= c for a, b, c in zip(low, usual, high, strict=True))


def test_a_decoder_of_eight_slots_with_its_window() -> None:
    step = acoustic_dimensions(ACOUSTIC, Vocoder())["decoder_step"]
    assert step == {"B": Sizes(1, 1, SLOTS), "K": exactly(26), "K_before": exactly(25)}
    assert SLOTS == 8


def test_the_encoder_takes_as_many_symbols_as_the_voice() -> None:
    assert acoustic_dimensions(ACOUSTIC, Vocoder())["encoder"]["T"] == Sizes(1, 64, 800)
    short = acoustic_dimensions(replace_max(ACOUSTIC, 40), Vocoder())["encoder"]["T"]
    assert short == Sizes(1, 40, 40)


def replace_max(sizes: Acoustic, symbols: int) -> Acoustic:
    fields = {name: getattr(sizes, name) for name in sizes.__struct_fields__}
    return Acoustic(**{**fields, "max_symbols": symbols})


def test_chunks_of_a_vocoder_that_looks_ahead_hold_what_is_around_them() -> None:
    plain = vocoder_dimensions(ACOUSTIC, Vocoder(), 200)["vocoder"]
    ahead = vocoder_dimensions(ACOUSTIC, Vocoder(context=5), 200)["vocoder"]
    assert plain["T"] == chunk_frames(ACOUSTIC, Vocoder()) == Sizes(1, 48, 62)
    assert ahead["T"] == Sizes(1, 106, 120)
    assert ahead["samples"] == Sizes(200, 21200, 24000)


def test_a_dimension_nobody_knows_is_refused_by_name() -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", "Q"])
    node = helper.make_node("Identity", ["x"], ["y"], name="same")
    graph = helper.make_graph([node], "odd", [x], [onnx.ValueInfoProto(name="y")])
    with pytest.raises(BuildError, match="input x of graph odd has a dimension 'Q'") as error:
        profile(helper.make_model(graph), {"B": exactly(1)})
    assert error.value.code == "dimension_unknown"


@pytest.mark.parametrize("context", [0, 1, 18, 60, 80, 200])
@pytest.mark.parametrize("lag", [0, 12, 40])
def test_the_first_chunk_fits_whatever_the_vocoder_sees(context: int, lag: int) -> None:
    """The pipeline waits for its first chunk, the lag and the context, and gets whole steps."""
    first, _ = pipeline.chunk_frames(context)
    sizes = replace_lag(lag)
    most = chunk_frames(sizes, Vocoder(context)).max
    assert most >= first + lag + context + sizes.frames_per_step - 1 + lag


def replace_lag(lag: int) -> Acoustic:
    return msgspec.structs.replace(ACOUSTIC, postnet_lag=lag)


@pytest.mark.parametrize("graph", GRAPHS)
def test_buckets_are_what_comes_often_and_then_all(graph: str, tmp_path: Path) -> None:
    pack = VoicePack(tiny_voice(tmp_path / "tiny", causal=True, nsf=True))
    model, dimensions = read_graphs(pack)[graph], voice_dimensions(pack.file)[graph]
    *often, whole = buckets(model, dimensions, pack.file)
    assert whole == profile(model, dimensions)
    assert len(often) == {"encoder": 0, "postnet": 4, "vocoder": 4}.get(graph, 1)
    for one in often:
        assert one.keys() == whole.keys()
        for name, (low, usual, high) in one.items():
            assert low == usual == high
            assert within(usual, whole[name].min, whole[name].max)
