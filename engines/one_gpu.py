"""The one GPU of a process: entered when the first engine asks for it, left when all are done."""

from __future__ import annotations

import threading

from engines.errors import GpuError
from engines.gpu import Gpu
from engines.gpu_memory import MIB


class OneGpu:
    """Gives the same `Gpu` to everyone; any thread may ask.

    limit_mb: MiB that all engines together may take; 0: what is free.
    """

    def __init__(self, limit_mb: int = 0) -> None:
        self._limit = limit_mb * MIB or None
        self._lock = threading.Lock()
        self._gpu: Gpu | None = None
        self._closed = False

    @property
    def limit(self) -> int | None:
        """Bytes; None: what is free."""
        return self._limit

    @property
    def held(self) -> int:
        """Bytes of its memory in use, scratch among them; 0 before it is entered."""
        return self._gpu.held if self._gpu is not None else 0

    def __call__(self) -> Gpu:
        """It, entered. Where that fails the next call tries again.

        Raises:
            GpuError: gpu_missing, gpu_not_installed, gpu_closed.
        """
        with self._lock:
            if self._closed:
                raise GpuError("gpu_closed", "the GPU was given back; start sambertd again")
            if self._gpu is None:
                self._gpu = Gpu(limit=self._limit)
            return self._gpu

    def close(self) -> None:
        """Give back everything on it; nothing the second time."""
        with self._lock:
            self._closed = True
            if self._gpu is not None:
                self._gpu.close()
