"""A TensorRT engine resident on the GPU; only the GPU's thread may touch it."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from engines.errors import GpuError
from engines.gpu_room import LEAST, Room, Stage
from engines.libcuda import DriverError
from engines.session import Array
from engines.trt_lane import Buffers, Lane
from engines.trt_tensors import REBUILD, Shapes, Tensor, buffer_bytes, choose_profile, read_tensors

if TYPE_CHECKING:
    import tensorrt

LOG = logging.getLogger(__name__)
MOST_GRAPHS = 8  # recorded shapes per engine; each holds an execution context
Key = tuple[tuple[int, ...], ...]


class TrtEngine:
    """A tenant of the room: engine, buffers, a lane per profile and one per recorded shape."""

    tensors: tuple[Tensor, ...] = ()

    def __init__(self, room: Room, who: str, data: bytes, most_graphs: int = MOST_GRAPHS) -> None:
        """Load a plan whose hash was checked: TensorRT does not survive every damaged one.

        Raises:
            GpuError: gpu_memory, gpu_failed, engine_broken; nothing is held then.
        """
        self._room, self._who, self._most = room, who, most_graphs
        self._engine: tensorrt.ICudaEngine | None = None
        self._buffers: Buffers | None = None
        self._lanes: dict[int, Lane] = {}  # by profile
        self._recorded: OrderedDict[Key, Lane] = OrderedDict()
        self._records = True
        self._scratch: tuple[int, int] | None = None
        self.bytes = 0
        try:
            with room.told(who):
                self._load(data)
        except BaseException:
            room.part(self)
            raise

    def _load(self, data: bytes) -> None:
        room, who = self._room, self._who
        room.budget.check(who, {"weights": len(data)})
        runtime = room.runtime
        room.ear.forget()
        engine = runtime.deserialize_cuda_engine(data)
        if engine is None:
            raise room.ear.error(who, "does not take the engine", REBUILD)
        self._engine = engine
        self._take(len(data))
        self.tensors = self._read(engine)
        size, scratch = buffer_bytes(self.tensors), max(engine.device_memory_size_v2, LEAST)
        room.budget.check(who, {"buffers": size, "scratch": room.growth(scratch)})
        self._take(size)
        device = room.cuda.mem_alloc(size)
        self._buffers = Buffers(device, room.cuda.pagelocked_empty(size, np.uint8))
        room.enter(self, scratch)

    def _read(self, engine: tensorrt.ICudaEngine) -> tuple[Tensor, ...]:
        """In a context of its own, which is gone before there is anything for it to compute in."""
        context = self._context(engine)
        tensors = read_tensors(engine, context, self._room.handle, self._who)
        self._room.stream.synchronize()  # a change of profile may be under way
        return tensors

    def _take(self, size: int) -> None:
        self.bytes += size
        self._room.budget.take(self._who, size)

    def _context(self, engine: tensorrt.ICudaEngine) -> tensorrt.IExecutionContext:
        import tensorrt as trt

        self._room.ear.forget()
        context = engine.create_execution_context(
            trt.ExecutionContextAllocationStrategy.USER_MANAGED
        )
        if context is None:
            raise self._room.ear.error(self._who, "makes no context for the engine", REBUILD)
        return context

    def run(self, feeds: Mapping[str, Array], profile: int, *, often: bool) -> dict[str, Array]:
        """Outputs for inputs within the engine's shapes.

        profile: the optimization profile that holds them. often: they are worth recording.

        Raises:
            GpuError: gpu_memory, gpu_failed, engine_broken.
        """
        with self._room.told(self._who):
            try:
                return self._run(feeds, profile, often)
            except DriverError as error:
                raise GpuError("gpu_failed", f"{self._who} failed on the GPU: {error}") from error

    def _run(self, feeds: Mapping[str, Array], profile: int, often: bool) -> dict[str, Array]:
        shapes: Shapes = {t.name: feeds[t.name].shape for t in self.tensors if t.is_input}
        if not (often and self._records and self._most):
            return self._plain(profile).run(self._room, feeds, shapes)
        key = tuple(shapes.values())
        lane = self._recorded.get(key) or self._to_record(key, profile)
        self._recorded.move_to_end(key)
        out = lane.run(self._room, feeds, shapes)
        if not lane.recorded:  # it has run once, which is what recording wants
            self._record(lane)
        return out

    def _plain(self, profile: int) -> Lane:
        """The lane for any shape of a profile."""
        if profile not in self._lanes:
            self._lanes[profile] = self._lane(profile)
        return self._lanes[profile]

    def _to_record(self, key: Key, profile: int) -> Lane:
        """A lane for one shape; the one that was not used for longest may go."""
        while len(self._recorded) >= self._most:
            _, oldest = self._recorded.popitem(last=False)
            oldest.forget()
        lane = self._recorded[key] = self._lane(profile)
        return lane

    def _lane(self, profile: int) -> Lane:
        if self._engine is None or self._buffers is None or self._scratch is None:
            raise GpuError("gpu_closed", f"{self._who} was given back; load the voice again")
        context = self._context(self._engine)
        choose_profile(context, profile, self._room.handle, self._who)
        return Lane(self._who, context, self.tensors, self._buffers, self._scratch)

    def _record(self, lane: Lane) -> None:
        try:
            lane.record(self._room)
        except (DriverError, GpuError, self._room.cuda.Error) as error:
            self._records = False
            self._drop_recorded()
            LOG.warning("%s runs without CUDA graphs, which cost time only: %s", self._who, error)

    def _drop_recorded(self) -> None:
        self._forget()
        self._recorded.clear()

    def _forget(self) -> None:
        for lane in self._recorded.values():
            with suppress(DriverError):  # of a card that fails, nothing can be given back
                lane.forget()

    def settle(self, scratch: int, size: int) -> None:
        """Compute in this memory; what was recorded knows another, and is recorded anew later."""
        self._drop_recorded()
        self._scratch = scratch, size
        for lane in self._lanes.values():
            lane.settle(scratch, size)

    def release(self, stage: Stage) -> None:
        """Give back what is held of this stage; nothing the second time."""
        if stage is Stage.GRAPHS:
            self._forget()
        elif stage is Stage.CONTEXTS:
            self._recorded.clear()
            self._lanes.clear()
        elif stage is Stage.ENGINE:
            self._engine = None
        elif self._buffers is not None or self.bytes:
            buffers, self._buffers = self._buffers, None
            self._room.budget.take(self._who, -self.bytes)
            self.bytes = 0
            if buffers is not None:
                buffers.free()
