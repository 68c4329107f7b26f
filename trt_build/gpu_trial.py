"""All graphs of a voice up the ladder on a GPU, into a store for the purpose; for a report.

The build is a process of its own, so that even a crash in TensorRT or the driver is told.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from engines.pack import VoicePack
from engines.store import Backend, Manifest, Store
from trt_build.engine_report import report
from trt_build.humble import humble

PROGRESS = re.compile(r"\[ *\d+\.\d s\] ")
MOST_LINES = 20  # of what was said besides progress
DID_NOT_RUN = "nothing built for it ran on the GPU"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a build ended: exit status, and the last lines it said besides progress."""

    status: int
    said: Sequence[str] = ()


Build = Callable[[Path, Backend, Path], Ended]


def build_apart(voice: Path, backend: Backend, store: Path, more: Sequence[str] = ()) -> Ended:
    """`python -m trt_build build` in a process of its own; what it says is passed on to stderr.

    more: options for it.
    """
    command = [sys.executable, "-m", "trt_build", "build", str(voice), "--store", str(store)]
    command += ["--backend", backend, *more]
    last: deque[str] = deque(maxlen=MOST_LINES)
    with subprocess.Popen(
        humble(command, idle=False),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # its report, which the store tells too
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            print(line, end="", file=sys.stderr, flush=True)
            if line.strip() and not PROGRESS.match(line):
                last.append(line.rstrip())
    return Ended(child.returncode, tuple(last))


def tried(pack: VoicePack, backend: Backend, build: Build) -> tuple[str, bool]:
    """The report in Markdown, and whether every graph ran on the GPU in some precision."""
    with TemporaryDirectory(prefix="sambertd-doctor-") as folder:
        ended = build(pack.folder, backend, Path(folder))
        manifest = Store(Path(folder)).read(pack)
    parts = [f"#### {pack.file.name} on {backend}"]
    if manifest is not None:
        parts.append(report(manifest, as_markdown=True))
        parts += [f"{graph}: {DID_NOT_RUN}" for graph in idle_graphs(manifest, backend)]
    if ended.status:
        parts.append(f"The build ended with {_ending(ended.status)}.")
    if ended.said:
        lines = "\n".join(_private(line) for line in ended.said)
        parts.append(f"Besides its progress it said:\n\n```\n{lines}\n```")
    well = ended.status == 0 and manifest is not None and not idle_graphs(manifest, backend)
    return "\n\n".join(parts), well


def idle_graphs(manifest: Manifest, backend: Backend) -> list[str]:
    """The graphs of which no engine of a backend was so much as timed."""
    return [
        graph
        for graph, engine in manifest.engines.items()
        if engine.backend != backend
        and not any(it.backend == backend and it.time_ms for it in engine.lost)
    ]


def _ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"


def _private(line: str) -> str:
    """The line without the user's name, as far as that is in paths."""
    try:
        return line.replace(str(Path.home()), "~")
    except RuntimeError:  # a user without a home
        return line
