"""What a TensorRT engine takes and gives, and where that lies in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engines.errors import GpuError
from engines.session import Array

if TYPE_CHECKING:
    import tensorrt

ALIGNED = 256  # bytes; what CUDA aligns allocations to, so what kernels may count on
TYPES: Mapping[str, npt.DTypeLike] = {
    "FLOAT": np.float32,
    "HALF": np.float16,
    "INT64": np.int64,
    "INT32": np.int32,
    "INT8": np.int8,
    "UINT8": np.uint8,
    "BOOL": np.bool_,
}
REBUILD = "build the voice's engines again on this machine"
Shape = tuple[int, ...]
Shapes = dict[str, Shape]


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output.

    low, usual, high: shapes it was built for; of an output, all are the largest. start: bytes into
    the buffer of all tensors.
    """

    name: str
    dtype: np.dtype[Any]
    is_input: bool
    low: Shape
    usual: Shape
    high: Shape
    start: int

    @property
    def end(self) -> int:
        """Where what it may take ends."""
        return self.start + self.bytes(self.high)

    def bytes(self, shape: Shape) -> int:
        """Bytes of it in this shape."""
        return math.prod(shape) * self.dtype.itemsize

    def takes(self, shape: Shape) -> bool:
        """Whether it was built for this shape."""
        return len(shape) == len(self.low) and all(
            low <= size <= high for low, size, high in zip(self.low, shape, self.high, strict=True)
        )

    def view(self, memory: npt.NDArray[np.uint8], shape: Shape) -> Array:
        """Its part of the buffer, in this shape.

        Raises:
            GpuError: engine_broken, it would not fit.
        """
        size = self.bytes(shape)
        if size > self.end - self.start:
            raise GpuError(
                "engine_broken",
                f"{self.name} of shape {shape} outgrows {self.high}, the largest there can be; "
                f"{REBUILD}",
            )
        view: Array = memory[self.start : self.start + size].view(self.dtype).reshape(shape)
        return view


def shape_of(dims: tensorrt.Dims) -> Shape:
    """TensorRT's sizes as numpy's."""
    return tuple(dims[i] for i in range(len(dims)))


def read_tensors(
    engine: tensorrt.ICudaEngine, context: tensorrt.IExecutionContext, who: str
) -> tuple[Tensor, ...]:
    """All tensors of an engine, laid out one after another; the context is left at its largest.

    Raises:
        GpuError: engine_broken.
    """
    import tensorrt as trt

    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    is_input = {n: engine.get_tensor_mode(n) == trt.TensorIOMode.INPUT for n in names}
    bounds: dict[str, tuple[Shape, Shape, Shape]] = {}
    for name in names:
        if engine.get_tensor_location(name) != trt.TensorLocation.DEVICE:
            raise GpuError(
                "engine_broken", f"{who} takes or gives {name} on the processor; {REBUILD}"
            )
        if is_input[name]:
            low, usual, high = map(shape_of, engine.get_tensor_profile_shape(name, 0))
            bounds[name] = low, usual, high
            if not context.set_input_shape(name, high):
                raise GpuError("engine_broken", f"{who} refuses its own shapes; {REBUILD}")
    for name in names:
        if not is_input[name]:
            most = shape_of(context.get_tensor_shape(name))
            if any(size < 0 for size in most):
                raise GpuError(
                    "engine_broken", f"{who} gives {name} of a size nobody knows; {REBUILD}"
                )
            bounds[name] = most, most, most
    out: list[Tensor] = []
    start = 0
    for name in names:
        dtype = _dtype(engine.get_tensor_dtype(name).name, f"{name} of {who}")
        tensor = Tensor(name, dtype, is_input[name], *bounds[name], start)
        start = -(-tensor.end // ALIGNED) * ALIGNED
        out.append(tensor)
    return tuple(out)


def buffer_bytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of the buffer for all."""
    return max((tensor.end for tensor in tensors), default=0) or ALIGNED


def _dtype(name: str, what: str) -> np.dtype[Any]:
    if name not in TYPES:
        raise GpuError("engine_broken", f"{what} is {name}, which numpy does not have; {REBUILD}")
    return np.dtype(TYPES[name])
