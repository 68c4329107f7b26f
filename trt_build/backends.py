"""What a box can build for, and how its engines are opened while they are timed and judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engines.device import Device, device
from engines.session import Session
from engines.store import Backend
from trt_build.build_voice import Opener, ort_cpu
from trt_build.errors import BuildError

CUDA = "CUDAExecutionProvider"


def choose(asked: Backend | None, found: Device | None = None) -> Backend:
    """The backend asked for, or the best that this box has.

    The driver is asked, never TensorRT, which without one may end the process.

    Raises:
        BuildError: backend_missing, with what stands in its way.
    """
    it = found or device()
    cuda = bool(it.gpu) and CUDA in it.providers
    have: dict[Backend, bool] = {"tensorrt": it.usable, "ort-cuda": cuda, "ort-cpu": True}
    if asked is None:
        return next(backend for backend, there in have.items() if there)
    if not have[asked]:
        why = it.why
        if asked == "ort-cuda" and it.gpu:
            why = "this ONNX Runtime has no CUDA; run `pip install 'sambertd[gpu]'`"
        raise BuildError(
            "backend_missing",
            f"{asked} cannot be had here: {why}. For what this box has, leave --backend out",
        )
    return asked


def opener(backend: Backend) -> tuple[Opener, Callable[[], None]]:
    """What loads engines of a backend, and what to call when all of them are closed.

    Raises:
        GpuError: gpu_missing, gpu_not_installed.
    """
    if backend == "ort-cpu":
        return ort_cpu, lambda: None
    if backend == "ort-cuda":
        return _ort_cuda, lambda: None
    from engines.gpu import Gpu
    from engines.trt_session import TrtSession

    gpu = Gpu()

    def open_plan(graph: str, file: Path) -> Session:
        return TrtSession(gpu, graph, file.read_bytes())

    return open_plan, gpu.close


def _ort_cuda(graph: str, file: Path) -> Session:
    from engines.ort_cuda import OrtCudaSession

    return OrtCudaSession(file)
