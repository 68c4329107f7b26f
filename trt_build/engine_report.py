"""What won on this box and why the others lost, for people and for programs."""

from __future__ import annotations

import msgspec

from engines.store import Engine, Manifest
from trt_build.table import Row, markdown, plain

HEADER = ("graph", "runs on", "precision", "KB", "ms / s", "PESQ", "MCD dB", "built", "key")
LOST = ("graph", "tried on", "precision", "ms / s", "why it lost", "")
MEASURES = {"pesq": "PESQ", "mcd_db": "MCD dB", "stoi": "STOI", "log_mel_db": "log-mel dB"}


def rows(manifest: Manifest) -> list[Row]:
    """A line for each graph; `ms / s` is milliseconds of its calls for one second of speech."""
    return [_row(engine) for engine in manifest.engines.values()]


def _row(engine: Engine) -> Row:
    size = -(-engine.bytes // 1024) if engine.file else "-"
    figures = [_figure(engine.quality, name) for name in ("pesq", "mcd_db")]
    name = engine.precision if engine.file else f"{engine.precision}, the voice's own"
    time = f"{engine.time_ms:.2f}"
    return engine.graph, engine.backend, name, size, time, *figures, engine.built, engine.key[:12]


def lost(manifest: Manifest) -> list[Row]:
    """A line for each rung that was not taken."""
    return [
        (
            graph,
            it.backend,
            it.precision,
            f"{it.time_ms:.2f}" if it.time_ms else "-",
            it.code,
            it.reason,
        )
        for graph, engine in manifest.engines.items()
        for it in engine.lost
    ]


def report(manifest: Manifest, *, as_markdown: bool = False) -> str:
    """Both tables, and what the gate said of all engines together."""
    write = markdown if as_markdown else plain
    where = {(e.device, e.runtime) for e in manifest.engines.values()}
    heading = f"{manifest.voice} on " + "; ".join(f"{d} ({r})" for d, r in sorted(where))
    parts = [heading, write(HEADER, rows(manifest)), _together(manifest)]
    losers = lost(manifest)
    if losers:
        parts.append(write(LOST, losers))
    return "\n\n".join(parts)


def as_json(manifest: Manifest) -> str:
    """The manifest as it lies in the store."""
    return msgspec.json.format(msgspec.json.encode(manifest)).decode()


def _together(manifest: Manifest) -> str:
    if not manifest.quality:
        return "The voice's own graphs run everything: it sounds as it was exported."
    told = [
        f"{name} {_figure(manifest.quality, key)}"
        for key, name in MEASURES.items()
        if key in manifest.quality
    ]
    return f"All together against FP32, mean of the sentences: {', '.join(told)}"


def _figure(quality: dict[str, float], name: str) -> str:
    return f"{quality[name]:.2f}" if name in quality else "-"
