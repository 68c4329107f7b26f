"""What a TensorRT engine takes and gives, and where that lies in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

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


class Range(NamedTuple):
    """Bounds of a tensor's shape, and the shape to be fastest at; of an output all are the most."""

    low: Shape
    usual: Shape
    high: Shape

    def holds(self, shape: Shape) -> bool:
        """Whether this shape is within."""
        return len(shape) == len(self.low) and all(
            low <= size <= high for low, size, high in zip(self.low, shape, self.high, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output.

    ranges: the shapes it was built for, by optimization profile. start: bytes into the buffer of
    all tensors.
    """

    name: str
    dtype: np.dtype[Any]
    is_input: bool
    ranges: tuple[Range, ...]
    start: int

    @property
    def end(self) -> int:
        """Where what it may take ends."""
        return self.start + max(self.bytes(it.high) for it in self.ranges)

    def bytes(self, shape: Shape) -> int:
        """Bytes of it in this shape."""
        return math.prod(shape) * self.dtype.itemsize

    def scaled(self, size: int) -> Shape:
        """Its shape with this size on all axes that may vary."""
        lows, highs = zip(*((it.low, it.high) for it in self.ranges), strict=True)
        return tuple(
            min(low) if min(low) == max(high) else size
            for low, high in zip(zip(*lows, strict=True), zip(*highs, strict=True), strict=True)
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
                f"{self.name} of shape {shape} is larger than it can be by the engine's own word; "
                f"{REBUILD}",
            )
        view: Array = memory[self.start : self.start + size].view(self.dtype).reshape(shape)
        return view


def shape_of(dims: tensorrt.Dims) -> Shape:
    """TensorRT's sizes as numpy's."""
    return tuple(dims[i] for i in range(len(dims)))


def read_tensors(
    engine: tensorrt.ICudaEngine, context: tensorrt.IExecutionContext, stream: int, who: str
) -> tuple[Tensor, ...]:
    """All tensors of an engine, laid out one after another; the context is set to anything then.

    Raises:
        GpuError: engine_broken.
    """
    import tensorrt as trt

    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    is_input = {n: engine.get_tensor_mode(n) == trt.TensorIOMode.INPUT for n in names}
    for name in names:
        if engine.get_tensor_location(name) != trt.TensorLocation.DEVICE:
            raise GpuError(
                "engine_broken", f"{who} takes or gives {name} on the processor; {REBUILD}"
            )
    ranges: dict[str, list[Range]] = {name: [] for name in names}
    for profile in range(engine.num_optimization_profiles):
        choose_profile(context, profile, stream, who)
        for name in names:
            if is_input[name]:
                low, usual, high = map(shape_of, engine.get_tensor_profile_shape(name, profile))
                ranges[name].append(Range(low, usual, high))
                if not context.set_input_shape(name, high):
                    raise GpuError("engine_broken", f"{who} refuses its own shapes; {REBUILD}")
        for name in names:
            if not is_input[name]:
                ranges[name].append(_most(context, name, who))
    out: list[Tensor] = []
    start = 0
    for name in names:
        dtype = _dtype(engine.get_tensor_dtype(name).name, f"{name} of {who}")
        tensor = Tensor(name, dtype, is_input[name], tuple(ranges[name]), start)
        start = -(-tensor.end // ALIGNED) * ALIGNED
        out.append(tensor)
    return tuple(out)


def choose_profile(
    context: tensorrt.IExecutionContext, profile: int, stream: int, who: str
) -> None:
    """Use this one of the engine's optimization profiles; every context starts with the first.

    Raises:
        GpuError: engine_broken.
    """
    if profile and not context.set_optimization_profile_async(profile, stream):
        raise GpuError("engine_broken", f"{who} refuses its profile {profile}; {REBUILD}")


def _most(context: tensorrt.IExecutionContext, name: str, who: str) -> Range:
    """What an output can be at most, with all inputs at theirs."""
    most = shape_of(context.get_tensor_shape(name))
    if any(size < 0 for size in most):
        raise GpuError("engine_broken", f"{who} gives {name} of a size nobody knows; {REBUILD}")
    return Range(most, most, most)


def buffer_bytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of the buffer for all."""
    return max((tensor.end for tensor in tensors), default=0) or ALIGNED


def _dtype(name: str, what: str) -> np.dtype[Any]:
    if name not in TYPES:
        raise GpuError("engine_broken", f"{what} is {name}, which numpy does not have; {REBUILD}")
    return np.dtype(TYPES[name])
