"""All that is held on one GPU. Only the thread of engines/gpu.py may touch any of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from engines.errors import GpuError
from engines.gpu_memory import SPARE, Budget, available, exhausted
from engines.libcuda import Driver
from engines.trt_log import Ear, logger, recorder

if TYPE_CHECKING:
    import tensorrt

NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING, for which pycuda has no name
SCRATCH = "scratch shared by all engines"
LEAST = 256  # bytes; TensorRT wants an address even from an engine that needs no scratch
CUDA_CURE = (
    "if it happens again, restart sambertd; if it still does, run `sambertctl doctor --gpu` and "
    "report what it prints"
)


class Stage(IntEnum):
    """What a tenant gives back, in this order: what was made last goes first."""

    GRAPHS = 0
    CONTEXTS = 1
    ENGINE = 2
    BUFFERS = 3


class Tenant(Protocol):
    """Someone who holds things in the room."""

    def release(self, stage: Stage) -> None:
        """Give back what is held of this stage; nothing the second time."""

    def settle(self, scratch: int, size: int) -> None:
        """The shared scratch is at this address now; graphs that know the old one must go."""


class Room:
    """Context, stream, TensorRT's runtime and the scratch memory its engines share.

    Engines run one after another on the one stream, so the largest need serves them all.
    """

    def __init__(self, index: int = 0, limit: int | None = None, spare: int = SPARE) -> None:
        """Enter GPU number `index`; limit, spare: see `Budget`.

        Raises:
            GpuError: gpu_missing, gpu_not_installed.
        """
        cuda = self.cuda = _pycuda()
        try:
            cuda.init()
            card = cuda.Device(index)
            shared = bool(card.get_attribute(cuda.device_attribute.INTEGRATED))
            self._primary = card.retain_primary_context()  # the one that TensorRT works in
        except cuda.Error as error:
            raise GpuError(
                "gpu_missing",
                f"GPU {index} cannot be used: {error}; `sambertctl doctor --gpu` says why",
            ) from error
        self._pushed = False
        self._tenants: list[Tenant] = []
        self._runtime: tensorrt.Runtime | None = None
        self._scratch: Any = None
        self._scratch_size = 0
        self.ear = Ear()
        self.budget = Budget(lambda: self._free(shared), limit, spare)
        try:
            self._primary.push()
            self._pushed = True
            self.stream = cuda.Stream(NON_BLOCKING)
            self.driver = Driver()
        except (cuda.Error, OSError) as error:
            self.leave()
            raise GpuError("gpu_missing", f"GPU {index} cannot be used: {error}") from error

    @property
    def handle(self) -> int:
        """The stream, as TensorRT and the driver take it."""
        return int(self.stream.handle)

    @property
    def runtime(self) -> tensorrt.Runtime:
        """TensorRT's, made when first asked for.

        Raises:
            GpuError: gpu_not_installed, engine_broken.
        """
        if self._runtime is None:
            self._runtime = self._start_runtime()
        return self._runtime

    def _start_runtime(self) -> tensorrt.Runtime:
        try:
            import tensorrt as trt
        except (ImportError, OSError) as error:
            raise GpuError(
                "gpu_not_installed",
                f"TensorRT cannot be loaded ({error}); `sambertctl doctor --gpu` says what to "
                "install",
            ) from error
        self.ear.forget()
        self._logger, self._recorder = logger(self.ear), recorder(self.ear)
        try:
            runtime = trt.Runtime(self._logger)
        except TypeError as error:  # "factory function returned nullptr"
            raise self.ear.error("the runtime", "cannot start", CUDA_CURE) from error
        runtime.error_recorder = self._recorder
        return runtime

    @contextmanager
    def told(self, who: str) -> Iterator[None]:
        """CUDA's errors within, as GpuError about `who`."""
        cuda = self.cuda
        try:
            yield
        except cuda.MemoryError as error:
            raise exhausted(who, str(error)) from error
        except cuda.Error as error:
            raise GpuError(
                "gpu_failed", f"{who} failed on the GPU: {error}; {CUDA_CURE}"
            ) from error

    def enter(self, tenant: Tenant, scratch: int) -> None:
        """Hold things from now on, `scratch` bytes of the shared memory among them.

        Raises:
            GpuError: gpu_memory.
        """
        self._tenants.append(tenant)
        if self.growth(scratch):
            self._grow(max(scratch, LEAST))
        else:
            tenant.settle(int(self._scratch), self._scratch_size)

    def growth(self, scratch: int) -> int:
        """Bytes to allocate for an engine that needs so much scratch; 0 if the shared one does."""
        wanted = max(scratch, LEAST)
        return wanted if wanted > self._scratch_size else 0

    def _grow(self, size: int) -> None:
        """A larger scratch for all; the old one goes once nobody knows it."""
        new = self.cuda.mem_alloc(size)
        old, self._scratch = self._scratch, new
        self.budget.take(SCRATCH, size - self._scratch_size)
        self._scratch_size = size
        for tenant in self._tenants:
            tenant.settle(int(new), size)
        if old is not None:
            old.free()

    def _drop_scratch(self) -> None:
        if self._scratch is not None:
            self._scratch.free()
            self.budget.take(SCRATCH, -self._scratch_size)
        self._scratch, self._scratch_size = None, 0

    def part(self, tenant: Tenant) -> None:
        """Give back all that this tenant holds."""
        for stage in Stage:
            tenant.release(stage)
        if tenant in self._tenants:
            self._tenants.remove(tenant)

    def leave(self) -> None:
        """Give back everything, in order; the room is of no use afterwards."""
        for stage in Stage:
            if stage is Stage.BUFFERS:
                self._runtime = None
            for tenant in reversed(self._tenants):
                with suppress(self.cuda.Error):  # a card that fails must not keep the rest
                    tenant.release(stage)
        self._tenants.clear()
        with suppress(self.cuda.Error):
            self._drop_scratch()
        self.stream = None
        try:
            if self._pushed:
                self._pushed = False
                self._primary.pop()
        finally:
            self._primary.detach()
            self._primary = None

    def _free(self, shared: bool) -> int:
        free, _ = self.cuda.mem_get_info()
        return max(int(free), available()) if shared else int(free)


def _pycuda() -> Any:
    try:
        import pycuda.driver as cuda
    except (ImportError, OSError) as error:
        raise GpuError(
            "gpu_not_installed",
            f"pycuda cannot be loaded ({error}); `sambertctl doctor --gpu` says what to install",
        ) from error
    return cuda
