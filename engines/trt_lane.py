"""One execution context of an engine: enqueued piece by piece, or recorded and launched as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engines.cuda_graph import CudaGraph
from engines.errors import GpuError
from engines.gpu_room import Room
from engines.session import Array
from engines.trt_tensors import REBUILD, Shapes, Tensor, shape_of

if TYPE_CHECKING:
    import tensorrt


@dataclass(frozen=True, slots=True)
class Buffers:
    """Memory of all tensors of an engine, on the GPU and, pinned, beside it; see `Tensor.start`."""

    device: Any
    host: npt.NDArray[np.uint8]

    def free(self) -> None:
        """Give both back; no view of the host's part may be left."""
        self.device.free()
        self.host.base.free()  # type: ignore[union-attr]  # pycuda's allocation


class Lane:
    """An execution context bound to an engine's buffers, and the shapes it is set to.

    A recorded one must never change its shapes: TensorRT may keep what they imply on the GPU, where
    the recording finds it. So each recording has a lane of its own.
    """

    def __init__(
        self,
        who: str,
        context: tensorrt.IExecutionContext,
        tensors: Sequence[Tensor],
        buffers: Buffers,
        scratch: tuple[int, int],
    ) -> None:
        """Bind once and for all; scratch: see `settle`.

        Raises:
            GpuError: engine_broken.
        """
        self._who, self._context, self._tensors = who, context, tensors
        self._base, self._memory = int(buffers.device), buffers.host
        self._shapes: Shapes = {}
        self._views: dict[str, Array] = {}
        self._graph: CudaGraph | None = None
        for tensor in tensors:
            if not context.set_tensor_address(tensor.name, self._base + tensor.start):
                raise GpuError("engine_broken", f"{who} does not take {tensor.name}; {REBUILD}")
        self.settle(*scratch)

    @property
    def recorded(self) -> bool:
        """Whether it launches as one."""
        return self._graph is not None

    def settle(self, scratch: int, size: int) -> None:
        """Compute in this memory from now on."""
        context = self._context
        context.set_device_memory(scratch, size)

    def run(self, room: Room, feeds: Mapping[str, Array], shapes: Shapes) -> dict[str, Array]:
        """Outputs for inputs of these shapes, in arrays of their own."""
        self._shape(room, shapes)
        for name, value in feeds.items():
            np.copyto(self._views[name], value, casting="same_kind")
        try:
            if self._graph is not None:
                self._graph.launch(room.handle)
            else:
                self._enqueue(room)
        finally:  # of what failed, copies may be under way
            room.stream.synchronize()
        return {t.name: _owned(self._views[t.name]) for t in self._tensors if not t.is_input}

    def record(self, room: Room) -> None:
        """Make what `run` just did launch as one.

        Raises:
            DriverError, GpuError: it cannot be recorded; the lane runs on as it did.
        """
        self._graph = CudaGraph.capture(room.driver, room.handle, lambda: self._enqueue(room))

    def forget(self) -> None:
        """Give the recording back."""
        graph, self._graph = self._graph, None
        if graph is not None:
            graph.close()

    def _shape(self, room: Room, shapes: Shapes) -> None:
        """Tell TensorRT what has changed, and find out how large the outputs will be."""
        if shapes == self._shapes:
            return
        context = self._context
        before, self._shapes = self._shapes, {}
        room.ear.forget()
        for name, shape in shapes.items():
            if before.get(name) != shape and not context.set_input_shape(name, shape):
                raise room.ear.error(self._who, f"refuses shape {shape} of {name}", REBUILD)
        full = dict(shapes)
        for tensor in self._tensors:
            if not tensor.is_input:
                full[tensor.name] = shape_of(context.get_tensor_shape(tensor.name))
        self._views = {t.name: t.view(self._memory, full[t.name]) for t in self._tensors}
        self._shapes = dict(shapes)

    def _enqueue(self, room: Room) -> None:
        """Copy in, compute, copy out."""
        context, cuda, stream = self._context, room.cuda, room.stream
        for tensor in self._tensors:
            if tensor.is_input:
                cuda.memcpy_htod_async(self._base + tensor.start, self._views[tensor.name], stream)
        room.ear.forget()
        if not context.execute_async_v3(room.handle):
            raise room.ear.error(self._who, "cannot run it", REBUILD)
        for tensor in self._tensors:
            if not tensor.is_input:
                cuda.memcpy_dtoh_async(self._views[tensor.name], self._base + tensor.start, stream)


def _owned(value: Array) -> Array:
    """A copy; half precision becomes float32, which is what the engines compute with."""
    return value.astype(np.float32) if value.dtype == np.float16 else value.copy()
