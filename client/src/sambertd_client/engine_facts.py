"""What `engine_report` says of the engines of a voice. docs/PROTOCOL.md is the specification."""
# ruff: noqa: UP045 - msgspec evaluates these annotations, on Python 3.9 too

from __future__ import annotations

from typing import Optional

import msgspec


class GraphEngine(msgspec.Struct, kw_only=True, frozen=True):
    """What runs one graph. Names of backends and precisions may be added."""

    graph: str
    backend: str
    precision: str
    bytes: int = 0  # of its file, which is about what its weights take in memory
    lost: str = ""  # why the processor does its work by now: the GPU has failed
    device_bytes: int = 0  # held on the GPU
    built: str = ""  # ISO 8601, UTC; "" is the graph that came with the voice
    time_ms: Optional[float] = None  # of its calls for one second of speech, as built
    quality: dict[str, float] = {}  # against FP32, as built


class RefusedEngine(msgspec.Struct, kw_only=True, frozen=True):
    """An engine of the store that is not used; graph "manifest" or "voice" is all of them."""

    graph: str
    code: str
    text: str


class EngineBuild(msgspec.Struct, kw_only=True, frozen=True):
    state: str  # never, current, waiting, running, elsewhere, done, failed; more may come
    text: str = ""  # the step at hand, who builds, or why it failed and what helps
    progress: Optional[float] = None  # 0 to 1; nil: unknown


class VoiceEngines(msgspec.Struct, kw_only=True, frozen=True):
    voice: str
    graphs: list[GraphEngine]
    build: EngineBuild
    refused: list[RefusedEngine] = []
