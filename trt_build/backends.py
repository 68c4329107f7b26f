"""What a box can build for, and how its engines are opened while they are timed and judged."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

from engines.device import Device, device
from engines.pack import VoicePack
from engines.session import Session
from engines.store import Backend
from trt_build.build_voice import Opener, ort_cpu
from trt_build.errors import BuildError


def choose(asked: Backend | None, found: Device | None = None) -> Backend:
    """The backend asked for, or the best that this box has.

    The driver is asked, never TensorRT, which without one may end the process.

    Raises:
        BuildError: backend_missing, with what stands in its way.
    """
    it = found or device()
    if asked is None:
        backends: tuple[Backend, ...] = get_args(Backend)
        return next(backend for backend in backends if not it.lacking(backend))
    if lacking := it.lacking(asked):
        raise BuildError(
            "backend_missing",
            f"{asked} cannot be had here: {lacking}. For what this box has, leave --backend out",
        )
    return asked


def opener(backend: Backend, pack: VoicePack) -> tuple[Opener, Callable[[], None]]:
    """What loads engines of a backend, and what to call when all of them are closed.

    They run as in the daemon, but that nothing stands in for what one cannot do.
    """
    if backend == "ort-cpu":
        return ort_cpu, lambda: None
    from engines.gpu_openers import gpu_openers
    from engines.one_gpu import OneGpu

    gpu = OneGpu()
    return partial(_open, gpu_openers(pack, gpu)[backend]), gpu.close


def _open(load: Callable[[bytes, str], Session], graph: str, file: Path) -> Session:
    return load(file.read_bytes(), graph)
