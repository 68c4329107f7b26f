"""A build in a process of its own: `python -m trt_build.child PARENT_PID`, the task on stdin.

TensorRT leaks when it builds many engines in one process (TensorRT#4598), takes gigabytes, and
crashes at times. Here that costs one rung of the ladder. Progress and the result go to stdout, a
JSON object a line; whatever the libraries print goes to stderr.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engines.store import write_atomically
from trt_build import supervised
from trt_build.build_log import Told, unheard
from trt_build.errors import BuildError, cannot_write
from trt_build.humble import bind_to_parent, give_way
from trt_build.profiles import Profile, Shapes
from trt_build.supervised import Limits


class Task(msgspec.Struct, frozen=True):
    """What to build. model: an ONNX file. out: where the plan goes, whole or not at all.

    library: a folder of TensorRT-RTX to build with instead of TensorRT. The rest is BuildOptions.
    """

    model: str
    out: str
    profiles: tuple[dict[str, tuple[list[int], list[int], list[int]]], ...]
    builder_optimization_level: int = 3
    workspace_mb: int = 1024
    timing_cache: str = ""
    weak_typing: bool = False
    library: str = ""
    idle: bool = False


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the child: progress, or an error, or the plan's layers and SHA-256."""

    phase: str = ""
    share: float = 0.0
    code: str = ""
    error: str = ""
    sha256: str = ""
    layers: int = 0


class Built(msgspec.Struct, frozen=True):
    """A plan, and the layers that were parsed."""

    data: bytes
    layers: int


def shapes_of(profiles: Sequence[Profile]) -> tuple[dict[str, Any], ...]:
    """Profiles as a Task has them."""
    return tuple(
        {name: tuple(list(shape) for shape in shapes) for name, shapes in one.items()}
        for one in profiles
    )


def build_in_child(task: Task, limits: Limits, progress: Told = unheard) -> Built:
    """Build, and read the plan. progress: as of `builder.build`; False kills the child.

    The child dies with the thread that calls this.

    Raises:
        BuildError: what `builder.build` raises, and what `supervised.run` does; disk_full,
            cannot_write.
    """
    last: list[Message] = []

    def line(data: bytes) -> bool:
        message = msgspec.json.decode(data, type=Message)
        if message.phase:
            return progress(message.phase, message.share)
        last.append(message)
        return True

    command = [sys.executable, "-m", "trt_build.child", str(os.getpid())]
    out = Path(task.out)
    try:
        with tempfile.TemporaryDirectory(prefix=".build-", dir=out.parent) as folder:
            part = Path(folder) / out.name  # a child that is killed leaves nothing beside `out`
            task = msgspec.structs.replace(task, out=str(part), idle=limits.idle)
            supervised.run(command, msgspec.json.encode(task), limits, line)
            built = _read(part, last)
            os.replace(part, out)
            return built
    except OSError as error:
        raise cannot_write(out, error) from error


def _read(plan: Path, said: Sequence[Message]) -> Built:
    result = said[-1] if said else Message(code="build_failed", error="the build said nothing")
    if result.code:
        raise BuildError(result.code, result.error)
    data = plan.read_bytes()
    if hashlib.sha256(data).hexdigest() != result.sha256:
        raise BuildError("build_failed", f"{plan} was changed while it was built; build again")
    return Built(data, result.layers)


def main() -> int:
    """The child: build what stdin says."""
    bind_to_parent(int(sys.argv[1]))
    lines = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    give_way(idle=task.idle)

    def tell(message: Message) -> None:
        lines.write(msgspec.json.encode(message) + b"\n")

    def progress(phase: str, share: float) -> bool:
        tell(Message(phase=phase, share=round(share, 4)))
        return True

    try:
        tell(_built(task, progress))
    except BuildError as error:
        tell(Message(code=error.code, error=str(error)))
    except MemoryError:
        tell(Message(code="build_memory", error="no memory was left; close other programs"))
    except OSError as error:
        told = cannot_write(Path(task.out), error)
        tell(Message(code=told.code, error=str(told)))
    return 0


def _built(task: Task, progress: Told) -> Message:
    from trt_build.builder import BuildOptions, build
    from trt_build.graph_file import read_graph

    options = BuildOptions(
        task.builder_optimization_level,
        task.workspace_mb,
        Path(task.timing_cache) if task.timing_cache else None,
        task.weak_typing,
    )
    model = read_graph(Path(task.model))
    plan = build(_tensorrt(task.library), model, _profiles(task.profiles), options, progress)
    write_atomically(Path(task.out), plan.data)
    return Message(sha256=hashlib.sha256(plan.data).hexdigest(), layers=plan.layers)


def _profiles(told: Sequence[Mapping[str, Sequence[list[int]]]]) -> list[Profile]:
    return [
        {name: Shapes(*(tuple(shape) for shape in shapes)) for name, shapes in one.items()}
        for one in told
    ]


def _tensorrt(library: str) -> Any:
    if library:
        from trt_build import rtx

        return rtx.load(Path(library))
    try:
        import tensorrt
    except (ImportError, OSError) as error:
        raise BuildError(
            "library_missing",
            f"TensorRT cannot be loaded ({error}); in a checkout of sambertd run "
            "`pip install ./client '.[gpu]'`, or on a Jetson `apt install python3-libnvinfer` "
            "and make the environment with --system-site-packages",
        ) from error
    return tensorrt


if __name__ == "__main__":
    sys.exit(main())
