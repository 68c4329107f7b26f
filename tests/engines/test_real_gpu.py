"""The same on a real card with TensorRT and pycuda; skipped, and so unverified, without one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import onnx
import pytest

from engines.device import CUDA, device
from engines.errors import GpuError
from engines.gpu import Gpu
from engines.ort_cuda import OrtCudaSession, providers
from engines.pack import VoicePack
from engines.trt_session import TrtSession
from tests.engines.small_graph import PROFILE, expected, feeds, model
from trt_build.builder import build
from trt_build.gpu_trial import build_apart, tried
from trt_build.profiles import Shapes

pytestmark = pytest.mark.gpu
HERE = device()
SOON = ["--sentences", "1", "--precision", "fp16", "--precision", "fp32"]


@pytest.fixture
def gpu() -> Iterator[Gpu]:
    if not HERE.usable:
        pytest.skip(f"NOT CHECKED ON A GPU: {HERE.why}")
    it = Gpu()
    yield it
    it.close()


@pytest.fixture
def data(gpu: Gpu) -> bytes:
    shapes = {n: Shapes(*(tuple(shape) for shape in it)) for n, it in PROFILE.items()}
    return build(import_module("tensorrt"), model(), [shapes]).data


def check(session: TrtSession, size: int, seed: int) -> None:
    given = feeds(size, seed)
    out = session.run(given)
    for name, value in expected(given).items():
        np.testing.assert_allclose(out[name], value, atol=1e-5)


def test_it_computes_plain_and_recorded(
    gpu: Gpu, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        session = TrtSession(gpu, "small", data)
        for seed, size in enumerate((1, 3, 3, 12, 5)):
            check(session, size, seed)
        session.warm_up([{"x": 3}, {"x": 6}])
        for seed, size in enumerate((3, 6, 5, 3, 12, 6)):
            check(session, size, seed)
    assert caplog.messages == []  # so they were recorded
    session.close()


def test_scratch_memory_and_order(gpu: Gpu, data: bytes) -> None:
    before = gpu.call(lambda room: room.cuda.mem_get_info()[0])
    sessions = [TrtSession(gpu, f"small {i}", data) for i in range(3)]
    for i, session in enumerate(sessions):
        session.warm_up([{"x": 3}])
        check(session, 3, i)
    for session in sessions:
        session.close()
    after = gpu.call(lambda room: room.cuda.mem_get_info()[0])
    assert before - after < 64 << 20


def test_what_does_not_fit_is_refused_before(gpu: Gpu, data: bytes) -> None:
    gpu.close()
    small = Gpu(limit=1000)
    with pytest.raises(GpuError, match=r"needs .* of the GPU's memory") as error:
        TrtSession(small, "small", data)
    assert error.value.code == "gpu_memory"
    small.close()


def test_a_plan_that_is_none(gpu: Gpu) -> None:
    with pytest.raises(GpuError, match="does not take the engine"):
        TrtSession(gpu, "small", b"not a plan" * 100)


def test_the_doctor_finds_a_voice_well(gpu: Gpu, plain_pack: Path) -> None:
    gpu.close()
    told, well = tried(VoicePack(plain_pack), "tensorrt", partial(build_apart, more=SOON))
    assert well, told


def test_onnx_runtime_on_cuda(tmp_path: Path) -> None:
    if CUDA not in providers() or not HERE.gpu:
        pytest.skip(f"NOT CHECKED ON A GPU: ONNX Runtime has {', '.join(providers())}")
    onnx.save(model(), tmp_path / "small.onnx")
    session = OrtCudaSession(tmp_path / "small.onnx")
    for seed, size in enumerate((3, 3, 8, 100)):
        given = feeds(size, seed)
        np.testing.assert_allclose(session.run(given)["y"], expected(given)["y"], atol=1e-5)
