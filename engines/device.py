"""What this machine can compute on, and if it has no GPU to use, why."""

from __future__ import annotations

import ctypes
import importlib.util
from contextlib import suppress
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

import msgspec

from engines.libcuda import Driver, DriverError

if TYPE_CHECKING:
    from engines.store import Backend

CUDA = "CUDAExecutionProvider"  # of ONNX Runtime
MAJOR, MINOR, INTEGRATED = 75, 76, 18  # CU_DEVICE_ATTRIBUTE_* of cuda.h
CURES = {
    2: "its memory is full; close other programs that use it",
    3: "the driver is shutting down; start sambertd again",
    100: "the driver is there but sees no GPU; see that CUDA_VISIBLE_DEVICES does not hide it and "
    "that `nvidia-smi` lists it",
    101: "the driver does not know that GPU; see CUDA_VISIBLE_DEVICES",
    304: "the operating system refuses; see that this user may open /dev/nvidia*",
    802: "the GPU is not ready yet; see `nvidia-smi` and try again",
    803: "the driver's parts are of different versions; restart the machine after an update of it",
    804: "this driver is too old for the CUDA libraries installed; update the driver",
    999: "the driver does not say why; see that this user may open /dev/nvidia* and that "
    "`nvidia-smi` works",
}


class Device(msgspec.Struct, frozen=True):
    """A GPU and the software for it, or the reason why there is none.

    gpu: its name, empty without one. sm: compute capability, such as "8.7". memory: bytes.
    integrated: it shares the processor's memory (Jetson). driver: the CUDA it brings, such as
    "12.6". tensorrt, pycuda, onnxruntime: versions, empty where not installed. providers: of ONNX
    Runtime. why: what stands in the way of TensorRT here and what to do; empty if nothing does.
    """

    gpu: str = ""
    sm: str = ""
    memory: int = 0
    integrated: bool = False
    driver: str = ""
    tensorrt: str = ""
    pycuda: str = ""
    onnxruntime: str = ""
    providers: tuple[str, ...] = ()
    why: str = ""

    @property
    def usable(self) -> bool:
        """Whether TensorRT engines can be built and run."""
        return not self.lacking("tensorrt")

    def lacking(self, backend: Backend) -> str:
        """What stands in the way of a backend here and what to do; empty if nothing does."""
        if backend == "ort-cpu":
            return ""
        if not self.gpu:
            return self.why or "there is no GPU"
        if backend == "tensorrt":
            return self.why
        if CUDA not in self.providers:
            return f"the GPU is there, ONNX Runtime has no {CUDA}; {INSTALL['onnxruntime-gpu']}"
        return ""


def device(index: int = 0, driver: Driver | None = None) -> Device:
    """Facts of this machine's GPU number `index`.

    The driver is asked first: TensorRT without one may crash the process. driver: another than the
    installed one.
    """
    facts = _software()
    try:
        facts |= _card(driver or Driver(), index)
    except OSError as error:
        why = f"no NVIDIA driver is installed, so there is no GPU to use ({error})"
        return Device(**facts, why=why)
    except DriverError as error:
        why = f"no GPU can be used: {CURES.get(error.code, 'see `nvidia-smi`')} [{error}]"
        return Device(**facts, why=why)
    tensorrt, why = _tensorrt()
    return Device(**{**facts, "tensorrt": tensorrt or facts["tensorrt"]}, why=why)


def _card(driver: Driver, index: int) -> dict[str, Any]:
    driver.call("cuInit", 0)
    version, handle, memory = ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t()
    name = ctypes.create_string_buffer(256)
    driver.call("cuDriverGetVersion", ctypes.byref(version))
    driver.call("cuDeviceGet", ctypes.byref(handle), index)
    driver.call("cuDeviceGetName", name, len(name), handle)
    driver.call("cuDeviceTotalMem_v2", ctypes.byref(memory), handle)
    major, minor, shared = (_attribute(driver, handle, it) for it in (MAJOR, MINOR, INTEGRATED))
    return {
        "gpu": name.value.decode("utf-8", "replace"),
        "sm": f"{major}.{minor}",
        "memory": memory.value,
        "integrated": bool(shared),
        "driver": f"{version.value // 1000}.{version.value % 1000 // 10}",
    }


def _attribute(driver: Driver, handle: ctypes.c_int, attribute: int) -> int:
    value = ctypes.c_int()
    driver.call("cuDeviceGetAttribute", ctypes.byref(value), attribute, handle)
    return value.value


def _software() -> dict[str, Any]:
    """Versions by what pip knows; TensorRT's module is not touched."""
    return {
        "tensorrt": _version("tensorrt"),
        "pycuda": _version("pycuda"),
        "onnxruntime": _version("onnxruntime-gpu") or _version("onnxruntime"),
        "providers": _providers(),
    }


def _version(package: str) -> str:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return ""


def _providers() -> tuple[str, ...]:
    if importlib.util.find_spec("onnxruntime") is None:
        return ()
    from engines.ort_cuda import providers

    return providers()


def _tensorrt() -> tuple[str, str]:
    """TensorRT's version, and what is missing for its engines."""
    for module in ("tensorrt", "pycuda"):
        if importlib.util.find_spec(module) is None:
            return "", f"the GPU is there, {module} is not; {INSTALL[module]}"
    try:
        return str(import_module("tensorrt").__version__), ""
    except (ImportError, OSError) as error:
        return "", f"tensorrt is installed but cannot be loaded ({error}); {INSTALL['tensorrt']}"


OF_GPU = "in a checkout of sambertd run `pip install ./client '.[gpu]'`"
INSTALL = {
    "tensorrt": f"{OF_GPU}, or on a Jetson `sudo apt install "
    "python3-libnvinfer` and make the environment with --system-site-packages",
    "pycuda": f"{OF_GPU}; it is compiled there and needs the CUDA toolkit (nvcc) and g++",
    "onnxruntime-gpu": f"run `pip uninstall onnxruntime`, and {OF_GPU}: of "
    "onnxruntime and onnxruntime-gpu only one can be installed",
}
