"""One graph through TensorRT: parsed, typed as its ONNX file says, built into a plan."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from trt_build.build_log import Hearing, Told, errors_of, log, monitor, recorder, unheard
from trt_build.errors import BuildError
from trt_build.profiles import Profile
from trt_build.timing_cache import attach, save

CURE = "export the voice again with this sambertd; if you wrote the graph, use other nodes there"
MEMORY_CURE = "close what else uses the GPU, or give the build less with --workspace-mb"
WORKSPACE_CURE = "give the build more with --workspace-mb"
STRONG_ONLY = (10, 12)  # from this version on TensorRT calls weak typing deprecated
MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How TensorRT builds.

    builder_optimization_level: 0 to 5, of how many kernels it tries; a device takes minutes at 3
    and half an hour at 5. workspace_mb: scratch memory a kernel may ask for; 0 is all there is.
    timing_cache: a file of measured kernels, read and written. weak_typing: let TensorRT before
    10.12 choose FP16 and INT8 layer by layer, where a strongly typed build fails there.
    """

    builder_optimization_level: int = 3
    workspace_mb: int = 1024
    timing_cache: Path | None = None
    weak_typing: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A built graph, what the runtime loads. layers: before TensorRT fuses them."""

    data: bytes
    layers: int
    seconds: float


def build(
    trt: Any,
    model: onnx.ModelProto,
    profiles: Sequence[Profile],
    options: BuildOptions | None = None,
    progress: Told = unheard,
) -> Plan:
    """Parse and build one graph, strongly typed: precision is what the ONNX file says.

    trt: the module, TensorRT's of 10.3 or later or TensorRT-RTX's. Building takes no GPU with the
    latter, and minutes of one with the former. profiles: ranges of the inputs, one for each bucket
    of shapes; a graph of fixed shapes needs none. progress: told phase and share done (0 to 1); the
    build stops once it answers False.

    Raises:
        BuildError: graph_refused, with node and operator; profile_refused, build_failed,
            device_memory, workspace_small, build_cancelled, weak_typing_unsupported,
            tensorrt_unusable.
    """
    options, start, hearing = options or BuildOptions(), time.monotonic(), Hearing(progress)
    bench = _Bench(trt, model, options, hearing)
    try:
        bench.parse()
        bench.set_shapes(profiles)
        data = bench.make()
    finally:
        bench.clear()
        hearing.raise_what_the_listener_raised()
    return Plan(data, bench.layers, time.monotonic() - start)


def typing_flags(trt: Any, options: BuildOptions) -> tuple[int, list[Any]]:
    """Flags of the network, and of the builder for weak typing.

    Raises:
        BuildError: weak_typing_unsupported.
    """
    if not options.weak_typing:
        return 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED), []
    flags = [getattr(trt.BuilderFlag, name, None) for name in ("INT8", "FP16")]
    version = tuple(int(part) for part in re.findall(r"\d+", trt.__version__)[:2])
    if None in flags or version >= STRONG_ONLY:
        raise BuildError(
            "weak_typing_unsupported",
            f"TensorRT {trt.__version__} takes the types from the graph; build without "
            "--weak-typing, which is for versions before 10.12",
        )
    return 0, flags


class _Bench:
    """TensorRT's objects for one build.

    Nothing else may hold them, a local of a function that raises least of all: freed late, within
    one of the callbacks or after them, they lock up or end the process.
    """

    def __init__(
        self, trt: Any, model: onnx.ModelProto, options: BuildOptions, hearing: Hearing
    ) -> None:
        self._trt, self._model, self._options, self._hearing = trt, model, options, hearing
        self._log, self._recorder = log(trt, hearing), recorder(trt, hearing)
        self._monitor = monitor(trt, hearing)
        self.layers = 0
        network_flags, precisions = typing_flags(trt, options)
        self.builder = self._builder()
        self.network = self.builder.create_network(network_flags)
        self.parser = trt.OnnxParser(self.network, self._log)
        self.config = self.builder.create_builder_config()
        self.config.progress_monitor = self._monitor
        self.config.builder_optimization_level = options.builder_optimization_level
        if options.workspace_mb:
            self.config.set_memory_pool_limit(
                trt.MemoryPoolType.WORKSPACE, options.workspace_mb * MB
            )
        for flag in precisions:
            self.config.set_flag(flag)

    def _builder(self) -> Any:
        try:
            return self._trt.Builder(self._log)
        except TypeError as error:  # how a factory that gave nothing is told
            raise BuildError(
                "tensorrt_unusable",
                f"TensorRT {self._trt.__version__} does not start "
                f"({self._hearing.said() or error}); see that `nvidia-smi` works and that the "
                "driver is new enough for this TensorRT",
            ) from None

    def parse(self) -> None:
        """Read the graph into the network."""
        if not self.parser.parse(self._model.SerializeToString()):
            told = "; ".join(errors_of(self.parser)) or self._hearing.said()
            raise BuildError(
                "graph_refused",
                f"TensorRT does not take graph {self._model.graph.name}: "
                f"{told or 'it does not say why'}; {CURE}",
            )
        self.layers = self.network.num_layers
        self.parser = None
        # Not before: a parser made under a recorder crashes when it is freed (TensorRT-RTX 1.7).
        self.builder.error_recorder = self._recorder

    def set_shapes(self, profiles: Sequence[Profile]) -> None:
        """Say what shapes the inputs will have, if they are not fixed."""
        inputs = range(self.network.num_inputs)
        if not any(-1 in tuple(self.network.get_input(i).shape) for i in inputs):
            return
        for profile in profiles:
            if not self._add(profile):
                raise BuildError(
                    "profile_refused",
                    f"TensorRT does not take the shapes {profile} for graph "
                    f"{self._model.graph.name}: {self._hearing.said()}; smallest, usual and "
                    "largest must not pass each other",
                )

    def _add(self, profile: Profile) -> bool:
        shapes = self.builder.create_optimization_profile()
        for name, (low, usual, high) in profile.items():
            shapes.set_shape(name, low, usual, high)
        return bool(self.config.add_optimization_profile(shapes) >= 0)

    def make(self) -> bytes:
        """The plan."""
        cache = self._options.timing_cache
        if cache:
            attach(self.config, cache)
        self._hearing.errors.clear()
        data = self.builder.build_serialized_network(self.network, self.config)
        if data is None:
            raise _failed(self._model.graph.name, self._hearing)
        if cache:
            save(self.config, cache)
        return bytes(data)

    def clear(self) -> None:
        """Free all, while those that they call are still there."""
        self.parser = self.config = self.network = self.builder = None


def _failed(name: str, hearing: Hearing) -> BuildError:
    if hearing.cancelled:
        return BuildError(
            "build_cancelled", f"the build of graph {name} was stopped; start it again to have it"
        )
    code, cure = "build_failed", CURE
    if hearing.out_of_memory:
        code, cure = "device_memory", MEMORY_CURE
    elif hearing.out_of_workspace:
        code, cure = "workspace_small", WORKSPACE_CURE
    said = hearing.said() or "it does not say why"
    return BuildError(code, f"TensorRT cannot build graph {name}: {said}; {cure}")
