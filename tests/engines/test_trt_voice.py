"""A whole voice on resident engines speaks as it does on ONNX Runtime (on a fake GPU)."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from engines.device import CUDA
from engines.errors import GpuError
from engines.gpu_openers import gpu_openers
from engines.one_gpu import OneGpu
from engines.ort_cuda import providers
from engines.pack import VoicePack
from engines.session import Floats
from engines.standby import Standby
from engines.voice import RuntimeOptions, Style, Voice
from tests.engines.fake_gpu import Card, plan
from trt_build.graph_file import read_graphs
from trt_build.profiles import profile, voice_dimensions

TEXT = "今天天气真好，我们去公园走走，看看花，喝杯茶，再慢慢地走回家。明天也是。"
OPTIONS = RuntimeOptions(vocoder_threads=1)


def resident(gpu: OneGpu, pack: VoicePack) -> dict[str, Standby]:
    dimensions, sessions = voice_dimensions(pack.file), {}
    for name, model in read_graphs(pack).items():
        data = plan(model.SerializeToString(), profile(model, dimensions[name]))
        session = gpu_openers(pack, gpu, lambda _: 1)["tensorrt"](data, name)
        assert isinstance(session, Standby)
        sessions[name] = session
    return sessions


def spoken(voice: Voice, style: Style | None = None) -> Floats:
    return np.concatenate([chunk.pcm for chunk in voice.stream(voice.plan(TEXT, style))])


@pytest.mark.parametrize("kind", ["plain_pack", "nsf_pack"])
def test_it_speaks_the_same(
    kind: str, request: pytest.FixtureRequest, card: Card, caplog: pytest.LogCaptureFixture
) -> None:
    pack = VoicePack(request.getfixturevalue(kind))
    gpu = OneGpu()
    with caplog.at_level(logging.WARNING), Voice(pack, OPTIONS, resident(gpu, pack)) as voice:
        warm, enqueued = card.launches, card.enqueued
        told = spoken(voice)
        launched, plain = card.launches - warm, card.enqueued - enqueued
        slow = spoken(voice, Style(speed=0.5))
    gpu.close()
    with Voice(pack, OPTIONS) as voice:
        np.testing.assert_allclose(told, spoken(voice), atol=1e-5)
        np.testing.assert_allclose(slow, spoken(voice, Style(speed=0.5)), atol=1e-5)
    assert caplog.messages == []
    assert launched > 5 * plain  # few calls are of a size that was not foreseen


def test_it_goes_on_in_the_middle_of_a_sentence_when_the_card_fails(
    plain_pack: Path, card: Card
) -> None:
    pack = VoicePack(plain_pack)
    gpu = OneGpu()
    sessions = resident(gpu, pack)
    with Voice(pack, OPTIONS, sessions) as voice:
        stream = voice.stream(voice.plan(TEXT))
        chunks = [next(stream).pcm]
        card.fails.update(synchronize=True, execute=True, launch=True)
        chunks += [chunk.pcm for chunk in stream]
        assert {name for name, it in sessions.items() if it.lost} >= {"decoder_step", "vocoder"}
        card.fails.clear()
    gpu.close()
    with Voice(pack, OPTIONS) as voice:
        np.testing.assert_allclose(np.concatenate(chunks), spoken(voice), atol=1e-5)


def test_an_engine_that_does_not_get_warm_is_not_kept(plain_pack: Path, card: Card) -> None:
    pack = VoicePack(plain_pack)
    gpu = OneGpu()
    model = read_graphs(pack)["memory"]
    shapes = profile(model, voice_dimensions(pack.file)["memory"])
    card.fails["execute"] = True
    opener = gpu_openers(pack, gpu, lambda _: 1)["tensorrt"]
    with pytest.raises(GpuError, match="the engine of memory: TensorRT cannot run it"):
        opener(plan(model.SerializeToString(), shapes), "memory")
    assert gpu().memory().keys() == {"scratch shared by all engines"}
    gpu.close()


def test_onnx_runtime_on_cuda_is_refused_where_there_is_none(plain_pack: Path) -> None:
    if CUDA in providers():
        pytest.skip("this ONNX Runtime has CUDA")
    pack = VoicePack(plain_pack)
    gpu = OneGpu()
    opener = gpu_openers(pack, gpu, lambda _: 1)["ort-cuda"]
    with pytest.raises(GpuError, match="CUDAExecutionProvider") as error:
        opener(pack.graphs["memory"].read_bytes(), "memory")
    assert error.value.code == "gpu_not_installed"
