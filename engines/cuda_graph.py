"""CUDA graphs, which pycuda does not have: a step's work recorded once and launched as one.

A launch costs microseconds where a hundred kernels enqueued one by one cost a hundred times that.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import suppress

from engines.libcuda import Driver, DriverError

THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads may allocate meanwhile


class CudaGraph:
    """Work recorded on a stream, ready to launch. To be used and closed in the GPU's thread."""

    def __init__(self, driver: Driver, executable: int) -> None:
        self._driver, self._executable = driver, executable

    @classmethod
    def capture(cls, driver: Driver, stream: int, enqueue: Callable[[], None]) -> CudaGraph:
        """Record what `enqueue` puts on the stream, without running it.

        The same work must have run on the stream once before, as its first run allocates. Nothing
        may be allocated, freed or waited for within. However this ends, the stream records no more.

        Raises:
            DriverError: the driver cannot record this.
        """
        driver.call("cuStreamBeginCapture_v2", stream, THREAD_LOCAL)
        graph = ctypes.c_void_p()
        try:
            enqueue()
        except BaseException:
            with suppress(DriverError):  # what went wrong first is what counts
                driver.call("cuStreamEndCapture", stream, ctypes.byref(graph))
            _destroy(driver, graph)
            raise
        driver.call("cuStreamEndCapture", stream, ctypes.byref(graph))
        try:
            executable = ctypes.c_void_p()
            driver.call("cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, 0)
        finally:
            _destroy(driver, graph)
        if not executable.value:
            raise DriverError("cuGraphInstantiateWithFlags", 0, "no graph came of it")
        return cls(driver, executable.value)

    def launch(self, stream: int) -> None:
        """Enqueue all of it.

        Raises:
            DriverError: the driver refuses.
        """
        self._driver.call("cuGraphLaunch", self._executable, stream)

    def close(self) -> None:
        """Give it back; nothing the second time."""
        executable, self._executable = self._executable, 0
        if executable:
            self._driver.call("cuGraphExecDestroy", executable)


def _destroy(driver: Driver, graph: ctypes.c_void_p) -> None:
    if graph.value:
        driver.call("cuGraphDestroy", graph)
