"""The sizes foreseen are those the pipeline really uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch

from benchmarks import random_voice
from engines import pipeline
from engines.fixed_sizes import fixed_sizes
from engines.ort_session import OrtSession
from engines.pack import GRAPHS, VoicePack
from engines.session import Array
from engines.voice import Voice
from trt_build.export.hifigan import Generator
from trt_build.profiles import acoustic_dimensions, vocoder_dimensions

AXES = {"postnet": ("decoder_mel", 1), "vocoder": ("mel", 2), "memory": ("memory", 0)}
TEXT = "今天天气真好我们去公园走走看看花喝杯茶再慢慢地走回家然后我们一起吃饭。"  # one sentence


def centred(out: Path) -> Path:
    """A voice whose vocoder looks ahead."""
    models = random_voice.tiny(nsf=False)
    with torch.random.fork_rng():
        config = replace(models.generator.config, causal=False)
        models = replace(models, generator=Generator(config).eval())
    return random_voice.write(models, out, "centred")


@pytest.mark.parametrize("kind", ["plain", "nsf", "centred"])
def test_all_chunks_but_the_last_are_foreseen(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = (
        centred(tmp_path / "v") if kind == "centred" else request.getfixturevalue(f"{kind}_pack")
    )
    pack = VoicePack(folder)
    graphs = {str(path): name for name, path in pack.graphs.items()}
    seen: dict[str, list[int]] = {name: [] for name in GRAPHS}
    run = OrtSession.run

    def spied(session: OrtSession, feeds: Mapping[str, Array]) -> dict[str, Array]:
        name = graphs[str(session._name)]
        if name in AXES:
            value, axis = AXES[name]
            seen[name].append(feeds[value].shape[axis])
        return run(session, feeds)

    monkeypatch.setattr(OrtSession, "run", spied)
    with Voice.load(folder) as voice:
        for _ in voice.stream(voice.plan(TEXT)):
            pass
    for name, (value, _) in AXES.items():
        foreseen = [size[value] for size in fixed_sizes(name, pack.file)]
        assert len(seen[name]) > len(foreseen)
        assert set(seen[name][:-1]) == set(foreseen), name
        assert len(foreseen) == len(set(foreseen))


@pytest.mark.parametrize("context", [0, 3, 40])
@pytest.mark.parametrize("step", [1, 3, 5])
@pytest.mark.parametrize("lag", [0, 12])
def test_they_are_within_what_engines_are_built_for(
    plain_pack: Path, context: int, step: int, lag: int
) -> None:
    file = VoicePack(plain_pack).file
    acoustic = msgspec.structs.replace(file.acoustic, frames_per_step=step, postnet_lag=lag)
    vocoder = msgspec.structs.replace(file.vocoder, context=context)
    file = msgspec.structs.replace(file, acoustic=acoustic, vocoder=vocoder)
    built = {
        **acoustic_dimensions(acoustic, vocoder)["postnet"],
        **vocoder_dimensions(acoustic, vocoder, file.hop_length)["vocoder"],
    }
    axes = {"decoder_mel": "N", "valid": "N_lag", "mel": "T", "excitation": "samples"}
    for size in (*fixed_sizes("postnet", file), *fixed_sizes("vocoder", file)):
        for value, length in size.items():
            assert built[axes[value]].min <= length <= built[axes[value]].max


def test_steps_are_of_one_utterance_and_the_encoder_of_any_size(plain_pack: Path) -> None:
    file = VoicePack(plain_pack).file
    sizes = {name: fixed_sizes(name, file) for name in GRAPHS}
    assert sizes["encoder"] == ()
    assert sizes["duration_step"] == sizes["decoder_step"] == ({},)
    assert len(sizes["vocoder"]) <= 5
    assert pipeline.LARGEST_CHUNK in [size["mel"] for size in sizes["vocoder"]]
