"""Session on TensorRT: an engine built on this machine, resident on its GPU."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import numpy as np

from engines.errors import GpuError, VoiceError
from engines.gpu import Gpu
from engines.session import Array
from engines.trt_engine import MOST_GRAPHS, TrtEngine
from engines.trt_tensors import Shapes

LOG = logging.getLogger(__name__)


class TrtSession:
    """One engine. Calls may overlap; the GPU's thread takes them in turn."""

    def __init__(self, gpu: Gpu, graph: str, data: bytes, most_graphs: int = MOST_GRAPHS) -> None:
        """Load an engine of graph `graph`.

        data: the plan, its hash checked. most_graphs: how many shapes may be recorded as CUDA
        graphs.

        Raises:
            GpuError: gpu_memory, gpu_failed, gpu_closed, gpu_not_installed, engine_broken.
        """
        who = f"the engine of {graph}"
        self._gpu, self._who = gpu, who
        self._engine = gpu.call(lambda room: TrtEngine(room, who, data, most_graphs))
        self._inputs = {t.name: t for t in self._engine.tensors if t.is_input}
        self._often: set[tuple[tuple[int, ...], ...]] = set()

    @property
    def state_size(self) -> int:
        """Floats of streaming state per stream; 0 for a graph without state."""
        return self._inputs["state"].ranges[0].high[-1] if "state" in self._inputs else 0

    @property
    def device_bytes(self) -> int:
        """What it holds on the GPU: weights and buffers, without the shared scratch."""
        return self._engine.bytes

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name for inputs by name.

        Raises:
            VoiceError: voice_broken, the graph does not take these inputs.
            GpuError: engine_shape, gpu_memory, gpu_failed, gpu_closed, engine_broken.
        """
        self._check(feeds)
        shapes = {name: feeds[name].shape for name in self._inputs}
        profile = self._profile(shapes)
        if profile is None:
            raise self._outside(shapes)
        return self._on_gpu(feeds, shapes, profile)

    def warm_up(
        self,
        sizes: Iterable[Mapping[str, int]] = (),
        progress: Callable[[Shapes], None] = lambda shapes: None,
    ) -> None:
        """Run every shape the engine was tuned for, and record those that will come often.

        sizes: how large the axis that varies is then, by input; see engines/fixed_sizes.py.
        progress is told of each shape before it runs. Other sessions may run in between.

        Raises:
            GpuError: as `run`.
        """
        for shapes in self._tuned():
            self._warm(shapes, progress)
        for size in sizes:
            shapes = {n: t.scaled(size.get(n, 1)) for n, t in self._inputs.items()}
            if self._profile(shapes) is None:
                LOG.warning("%s was not built for %s, which come often", self._who, shapes)
                continue
            self._often.add(tuple(shapes.values()))
            self._warm(shapes, progress)
            self._warm(shapes, progress)  # as recorded

    def _tuned(self) -> list[Shapes]:
        """Smallest, usual and largest shapes of each profile, each once."""
        by_profile = zip(*(t.ranges for t in self._inputs.values()), strict=True)
        out: list[Shapes] = []
        for ranges in by_profile:
            for inputs in zip(*ranges, strict=True):
                shapes = dict(zip(self._inputs, inputs, strict=True))
                if shapes not in out:
                    out.append(shapes)
        return out

    def close(self) -> None:
        """Give back what it holds on the GPU; nothing the second time."""
        with suppress(GpuError):  # the GPU was given back with all on it
            self._gpu.call(lambda room: room.part(self._engine))

    def _warm(self, shapes: Shapes, progress: Callable[[Shapes], None]) -> None:
        progress(shapes)
        profile = self._profile(shapes)
        assert profile is not None
        feeds = {name: np.zeros(shape, self._inputs[name].dtype) for name, shape in shapes.items()}
        self._on_gpu(feeds, shapes, profile)

    def _on_gpu(self, feeds: Mapping[str, Array], shapes: Shapes, profile: int) -> dict[str, Array]:
        often = tuple(shapes.values()) in self._often
        return self._gpu.call(lambda room: self._engine.run(feeds, profile, often=often))

    def _profile(self, shapes: Shapes) -> int | None:
        """The first optimization profile that was made for these shapes."""
        by_profile = zip(*(t.ranges for t in self._inputs.values()), strict=True)
        for profile, ranges in enumerate(by_profile):
            if all(it.holds(shapes[name]) for name, it in zip(shapes, ranges, strict=True)):
                return profile
        return None

    def _check(self, feeds: Mapping[str, Array]) -> None:
        for name, tensor in self._inputs.items():
            if name not in feeds or not np.can_cast(feeds[name].dtype, tensor.dtype, "same_kind"):
                raise self._misfit(feeds)
        if len(feeds) != len(self._inputs):
            raise self._misfit(feeds)

    def _misfit(self, feeds: Mapping[str, Array]) -> VoiceError:
        takes = ", ".join(f"{n} {t.dtype}" for n, t in self._inputs.items())
        given = ", ".join(f"{n} {value.dtype}" for n, value in feeds.items())
        return VoiceError(
            "voice_broken",
            f"{self._who} does not fit its voice.toml: it takes {takes} and is given {given}; "
            "export the voice again and build its engines",
        )

    def _outside(self, shapes: Shapes) -> GpuError:
        told = "; ".join(
            f"{name} {shapes[name]}, built for "
            + " or ".join(f"{it.low} to {it.high}" for it in tensor.ranges)
            for name, tensor in self._inputs.items()
            if not any(it.holds(shapes[name]) for it in tensor.ranges)
        )
        return GpuError(
            "engine_shape",
            f"{self._who} was not built for this: {told or shapes}; run this graph on ONNX Runtime",
        )
