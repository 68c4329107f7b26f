"""What runs each graph, as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from . import protocol as wire
from .table import columns

HEAD = ("graph", "backend", "precision", "file", "on GPU", "ms per s", "built")
NUMBERS = (3, 4, 5)
ON_GPU = 4
BUILDS = {
    "never": "no build is wanted",
    "current": "nothing to build",
    "waiting": "a build is about to start",
    "running": "building",
    "elsewhere": "another process builds",
    "done": "built",
    "failed": "the build failed",
}


def report_lines(report: wire.EngineReport, now: datetime) -> Iterator[str]:
    """The lines of `sambertctl engines`. now: with its time zone."""
    for voice in report.voices:
        yield f"{voice.voice}: {_build(voice.build)}"
        yield from (f"  {line}" for line in _table(voice.graphs, now))
        for graph in voice.graphs:
            if graph.lost:
                yield f"  on the processor: {graph.graph}: {graph.lost}"
        for refused in voice.refused:
            yield f"  not used: {refused.graph}: {refused.text} ({refused.code})"
    if not report.voices:
        yield "no voice runs on graphs, or none is loaded yet"
    of_gpu = f" and {_size(report.device_bytes)} of the GPU" if report.device_bytes else ""
    held = f"the daemon holds {_size(report.memory_bytes)}{of_gpu}"
    yield f"{held}; engines are kept in {report.store}"


def age(built: str, now: datetime) -> str:
    """How long ago an ISO 8601 time was, in the largest unit that fits; else as it stands."""
    try:
        since = now - datetime.fromisoformat(built.replace("Z", "+00:00"))
    except (ValueError, TypeError):  # no time, or one without a zone
        return built
    for unit, length in (
        ("d", timedelta(days=1)),
        ("h", timedelta(hours=1)),
        ("min", timedelta(minutes=1)),
    ):
        if since >= length:
            return f"{since // length} {unit} ago"
    return "just now"


def _table(graphs: Sequence[wire.GraphEngine], now: datetime) -> Iterator[str]:
    """Without what is on the GPU where nothing is."""
    rows = [HEAD, *(_row(graph, now) for graph in graphs)]
    if any(graph.device_bytes for graph in graphs):
        return columns(rows, NUMBERS)
    return columns([row[:ON_GPU] + row[ON_GPU + 1 :] for row in rows], NUMBERS[:-1])


def _row(graph: wire.GraphEngine, now: datetime) -> tuple[str, ...]:
    time_ms = "-" if graph.time_ms is None else f"{graph.time_ms:.2f}"
    built = age(graph.built, now) if graph.built else "came with the voice"
    on_gpu = _size(graph.device_bytes) if graph.device_bytes else "-"
    return (
        graph.graph,
        graph.backend,
        graph.precision,
        _size(graph.bytes),
        on_gpu,
        time_ms,
        built,
    )


def _build(build: wire.EngineBuild) -> str:
    words = BUILDS.get(build.state, build.state)
    if build.progress is not None:
        words += f" {100 * build.progress:.0f} %"
    return f"{words}: {build.text}" if build.text else words


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
