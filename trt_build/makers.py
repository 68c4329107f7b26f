"""What a backend loads, made of a candidate graph: the graph itself, or TensorRT's plan of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import onnx

from engines.store import Backend
from trt_build.build_log import Told
from trt_build.builder import BuildOptions
from trt_build.child import Task, build_in_child, shapes_of
from trt_build.errors import cannot_write
from trt_build.profiles import Profile
from trt_build.supervised import Limits
from trt_build.workshop import Workshop

Say = Callable[[str], None]
STEP = 0.1  # of a build, between two lines of progress


class Maker(Protocol):
    """Makes files for one backend."""

    @property
    def backend(self) -> Backend:
        """For which."""

    @property
    def suffix(self) -> str:
        """Of the files."""

    def made_of(self, graph: str) -> dict[str, object]:
        """All that a file depends on besides candidate, device and runtime, fit for JSON."""

    def make(self, shop: Workshop, key: str, graph: str, model: onnx.ModelProto, say: Say) -> Path:
        """The file of a candidate, in the workshop.

        Raises:
            BuildError: see errors.py.
        """


@dataclass(frozen=True, slots=True)
class OnnxMaker:
    """For ONNX Runtime: the candidate as it is."""

    backend: Backend = "ort-cpu"
    suffix: str = ".onnx"

    def made_of(self, graph: str) -> dict[str, object]:
        """Nothing else."""
        return {}

    def make(self, shop: Workshop, key: str, graph: str, model: onnx.ModelProto, say: Say) -> Path:
        """Write it."""
        return shop.get(key, self.suffix) or shop.put(key, self.suffix, model.SerializeToString())


@dataclass(frozen=True, slots=True)
class PlanMaker:
    """For TensorRT: built in a child process.

    profiles: by graph, one for each bucket. library: a folder of TensorRT-RTX to build with instead
    of TensorRT; nothing here can run such a plan.
    """

    profiles: Mapping[str, tuple[Profile, ...]]
    options: BuildOptions = field(default_factory=BuildOptions)
    limits: Limits = field(default_factory=Limits)
    library: str = ""
    backend: Backend = "tensorrt"
    suffix: str = ".plan"

    def made_of(self, graph: str) -> dict[str, object]:
        """Shapes and options; not the bounds on time and memory, which change no plan."""
        options = asdict(self.options)
        del options["timing_cache"]
        return {"shapes": self.profiles[graph], **options}

    def make(self, shop: Workshop, key: str, graph: str, model: onnx.ModelProto, say: Say) -> Path:
        """Build it, or take what an interrupted build has left."""
        kept = shop.get(key, self.suffix)
        if kept is not None:
            say(f"{graph}: built before the last build was interrupted")
            return kept
        source, part = shop.put(key, ".onnx", model.SerializeToString()), shop.folder / "part"
        try:
            built = build_in_child(self._task(graph, source, part), self.limits, _steps(graph, say))
            return shop.adopt(part, key, self.suffix, built.data)
        except OSError as error:
            raise cannot_write(part, error) from error
        finally:
            source.unlink(missing_ok=True)

    def _task(self, graph: str, source: Path, part: Path) -> Task:
        options, cache = self.options, self.options.timing_cache
        return Task(
            model=str(source),
            out=str(part),
            profiles=shapes_of(self.profiles[graph]),
            builder_optimization_level=options.builder_optimization_level,
            workspace_mb=options.workspace_mb,
            timing_cache=str(cache) if cache else "",
            weak_typing=options.weak_typing,
            library=self.library,
        )


def _steps(graph: str, say: Say) -> Told:
    """A listener that says how far a build is, a few times."""
    said = [0.0]

    def told(phase: str, share: float) -> bool:
        if share >= said[0] + STEP:
            said[0] = share
            say(f"{graph}: {share:.0%} ({phase})")
        return True

    return told
