"""What is said of a machine with a GPU, without one, and with half of one."""

from __future__ import annotations

import importlib.util
import re
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engines import device as module
from engines import opening
from engines.device import Device, device
from engines.errors import StoreError
from engines.libcuda import Driver
from engines.opening import here
from tests.engines.fake_gpu import library


def orin(code: int = 0) -> Driver:
    """A driver that knows a Jetson, or fails to start."""

    def give(out: Any, value: int) -> int:
        out[0] = value
        return 0

    def name(out: Any, size: int, handle: int) -> int:
        return 0

    functions: dict[str, Callable[..., int]] = {
        "cuInit": lambda flags: code,
        "cuDriverGetVersion": lambda out: give(out, 12060),
        "cuDeviceGet": lambda out, index: give(out, 5) if index == 0 else 101,
        "cuDeviceGetName": name,
        "cuDeviceTotalMem_v2": lambda out, handle: give(out, 8 << 30),
        "cuDeviceGetAttribute": lambda out, attribute, handle: give(
            out, {75: 8, 76: 7, 18: 1}[attribute]
        ),
    }
    made = library({it: work for it, work in functions.items() if it != "cuDeviceGetName"})
    made.cuDeviceGetName = _Name()
    return Driver(made)


class _Name:
    """ctypes hands callbacks bytes for a char *, which they cannot write; so no foreign call."""

    argtypes: Any = None
    restype: Any = None

    def __call__(self, out: Any, size: int, handle: Any) -> int:
        assert handle.value == 5
        out.value = b"Orin"
        return 0


def install(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Modules that are there and nothing more."""
    for name in names:
        it = types.ModuleType(name)
        it.__dict__["__version__"] = "10.3.0"
        it.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
        monkeypatch.setitem(sys.modules, name, it)


def test_a_gpu_with_all_that_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "tensorrt", "pycuda")
    it = device(driver=orin())
    assert it.usable
    assert (it.gpu, it.sm, it.memory, it.integrated) == ("Orin", "8.7", 8 << 30, True)
    assert (it.driver, it.tensorrt, it.why) == ("12.6", "10.3.0", "")
    assert "CPUExecutionProvider" in it.providers


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ((), "tensorrt is not; .*python3-libnvinfer"),
        (("tensorrt",), "pycuda is not; .*nvcc"),
    ],
)
def test_a_gpu_without_the_software(
    monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], told: str
) -> None:
    if not there and importlib.util.find_spec("tensorrt"):
        pytest.skip("TensorRT is installed here")
    install(monkeypatch, *there)
    it = device(driver=orin())
    assert (it.gpu, it.usable) == ("Orin", False)
    assert re.search(f"the GPU is there, {told}", it.why)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (100, "CUDA_VISIBLE_DEVICES"),
        (304, "/dev/nvidia"),
        (803, "restart the machine"),
        (999, "/dev/nvidia"),
        (42, "see `nvidia-smi`"),
        (-1, "see `nvidia-smi`"),
    ],
)
def test_a_driver_that_does_not_start_says_what_to_do(code: int, told: str) -> None:
    it = device(driver=orin(code))
    assert not it.usable
    assert told in it.why
    assert f"({code})" in it.why


def test_a_gpu_that_is_not_there() -> None:
    assert "the driver does not know that GPU" in device(3, driver=orin()).why


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Driver:
        raise OSError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr(module, "Driver", refuse)
    it = device()
    assert it == Device(
        onnxruntime=it.onnxruntime,
        providers=it.providers,
        tensorrt=it.tensorrt,
        pycuda=it.pycuda,
        why="no NVIDIA driver is installed, so there is no GPU to use (libcuda.so.1: cannot open "
        "shared object file)",
    )
    assert it.onnxruntime


def test_this_machine_is_described_without_an_error() -> None:
    it = device()
    assert it.usable == (it.why == "")
    assert Path("/dev/nvidia0").exists() or it.why or it.integrated


WITH_CUDA = ("CUDAExecutionProvider", "CPUExecutionProvider")


@pytest.mark.parametrize(
    ("it", "tensorrt", "cuda"),
    [
        (Device(), "there is no GPU", "there is no GPU"),
        (Device(why="no driver"), "no driver", "no driver"),
        (Device(gpu="Orin"), "", "CUDAExecutionProvider; run `pip uninstall onnxruntime`"),
        (Device(gpu="Orin", providers=WITH_CUDA), "", ""),
        (Device(gpu="Orin", providers=WITH_CUDA, why="no TensorRT"), "no TensorRT", ""),
    ],
)
def test_what_a_backend_lacks(it: Device, tensorrt: str, cuda: str) -> None:
    assert it.lacking("ort-cpu") == ""
    for backend, told in (("tensorrt", tensorrt), ("ort-cuda", cuda)):
        lacking = it.lacking(backend)  # type: ignore[arg-type]
        assert told in lacking
        assert bool(lacking) == bool(told)


@pytest.fixture
def no_memory() -> Iterator[None]:
    here.cache_clear()
    yield
    here.cache_clear()


def test_engines_are_keyed_by_the_device_and_what_runs_them(
    monkeypatch: pytest.MonkeyPatch, no_memory: None
) -> None:
    orin = Device("Orin", "8.7", tensorrt="10.3.0", onnxruntime="1.19.2", providers=WITH_CUDA)
    monkeypatch.setattr(opening, "device", lambda: orin)
    assert here("tensorrt") == ("Orin 8.7", "tensorrt 10.3.0")
    assert here("ort-cuda") == ("Orin 8.7", "onnxruntime 1.19.2")


def test_a_box_that_lacks_a_backend_says_why_and_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, no_memory: None
) -> None:
    monkeypatch.setattr(opening, "device", lambda: Device(why="the GPU is not ready yet"))
    for backend in ("tensorrt", "ort-cuda"):
        with pytest.raises(StoreError, match="the GPU is not ready yet") as error:
            here(backend)
        assert error.value.code == "engine_stale"
    monkeypatch.setattr(opening, "device", lambda: Device("Orin", "8.7", tensorrt="10.3.0"))
    assert here("tensorrt") == ("Orin 8.7", "tensorrt 10.3.0")
