"""The engines' logger and recorder under NVIDIA's own runtime, which has no driver here."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from engines.device import device
from engines.errors import GpuError
from engines.gpu import Gpu
from engines.trt_session import TrtSession
from tests.engines.conftest import card
from tests.engines.fake_gpu import Card
from tests.engines.small_graph import PROFILE, model
from trt_build.builder import build
from trt_build.profiles import Shapes

__all__ = ["card"]
pytestmark = pytest.mark.tensorrt


@pytest.fixture
def gpu(trt: Any, card: Card, monkeypatch: pytest.MonkeyPatch) -> Gpu:
    """The fake card, but TensorRT-RTX for TensorRT."""
    if device().gpu:
        pytest.skip("there is a GPU here")
    monkeypatch.setitem(sys.modules, "tensorrt", trt)
    return Gpu()


def test_what_the_runtime_says_is_in_the_message(trt: Any, gpu: Gpu) -> None:
    shapes = {n: Shapes(*(tuple(shape) for shape in it)) for n, it in PROFILE.items()}
    data = build(trt, model(), [shapes]).data
    for plan in (data, b"not a plan" * 50):
        told = "engine of small: TensorRT does not take the engine: .*update the NVIDIA driver"
        with pytest.raises(GpuError, match=told) as error:
            TrtSession(gpu, "small", plan)
        assert error.value.code == "gpu_missing"
    gpu.close()
