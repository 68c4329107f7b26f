"""What the daemon says of its engines: what runs each graph, and how builds stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sambertd_client import protocol as wire

from daemon.building import Build
from daemon.config import EngineConfig
from daemon.memory import resident_bytes
from daemon.voices import Shelf
from engines.session import BackedSession, DeviceSession, Session

if TYPE_CHECKING:
    from daemon.resident import Resident


def report(
    request_id: str, shelf: Shelf, builds: Mapping[str, Build], config: EngineConfig
) -> wire.EngineReport:
    """The answer to `engines`."""
    return wire.EngineReport(
        id=request_id,
        voices=[
            wire.VoiceEngines(
                voice=name,
                graphs=_graphs(resident),
                build=_build(builds.get(name, Build("never"))),
                refused=[
                    wire.RefusedEngine(graph=graph, code=error.code, text=str(error))
                    for graph, error in resident.opened.refused.items()
                ],
            )
            for name, resident in shelf.residents.items()
        ],
        store=str(config.store),
        build=config.build,
        memory_bytes=resident_bytes(),
        device_bytes=shelf.gpu.held if shelf.gpu is not None else 0,
    )


def short_lines(shelf: Shelf, builds: Mapping[str, Build]) -> list[str]:
    """A line for each voice: "yue: ort-cpu int8 (4), ort-cpu fp32 (2); building 40 %: vocoder"."""
    return [
        "; ".join((f"{name}: {_kinds(resident)}", *_rest(resident, builds.get(name))))
        for name, resident in shelf.residents.items()
    ]


def _graphs(resident: Resident) -> list[wire.GraphEngine]:
    return [_graph(resident, name, path) for name, path in resident.pack.graphs.items()]


def _graph(resident: Resident, name: str, path: Path) -> wire.GraphEngine:
    engine = resident.engine(name)
    own = resident.own(name)
    held = resident.voice.sessions[name]
    device_bytes = held.device_bytes if isinstance(held, DeviceSession) else 0
    size = _file_bytes(path) if own or engine is None else engine.bytes
    if engine is None:
        return wire.GraphEngine(graph=name, backend="ort-cpu", precision="fp32", bytes=size)
    return wire.GraphEngine(
        graph=name,
        backend=engine.backend,
        precision=engine.precision,
        bytes=size,
        device_bytes=device_bytes,
        lost=_lost(held),
        built="" if own else engine.built,
        time_ms=engine.time_ms or None,
        quality=engine.quality,
    )


def _lost(session: Session) -> str:
    """Why the processor does a session's work; empty if it does not."""
    error = session.lost if isinstance(session, BackedSession) else None
    return "" if error is None else f"{error} ({error.code})"


def _build(build: Build) -> wire.EngineBuild:
    return wire.EngineBuild(state=build.state, text=build.text, progress=build.progress)


def _kinds(resident: Resident) -> str:
    counts: dict[str, int] = {}
    for graph in _graphs(resident):
        kind = f"{graph.backend} {graph.precision}"
        counts[kind] = counts.get(kind, 0) + 1
    return ", ".join(f"{kind} ({count})" for kind, count in counts.items())


def _rest(resident: Resident, build: Build | None) -> Iterator[str]:
    if resident.opened.refused:
        yield f"not used: {', '.join(resident.opened.refused)}"
    lost = [graph for graph, session in resident.voice.sessions.items() if _lost(session)]
    if lost:
        yield f"the GPU has failed, on the processor: {', '.join(lost)}"
    words = {
        "waiting": "a build is about to start",
        "running": "building",
        "elsewhere": "another process builds",
        "failed": "the build failed",
    }
    if build is not None and build.state in words:
        share = "" if build.progress is None else f" {100 * build.progress:.0f} %"
        text = f": {build.text}" if build.text else ""
        yield words[build.state] + share + text


def _file_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
