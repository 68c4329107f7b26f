"""The engines built for this box, opened; what cannot be used is left to the pack's own graphs."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType

from engines.device import device
from engines.errors import EngineError, StoreError
from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.quiet_ort import ort
from engines.session import Session, release
from engines.store import Backend, Engine, Manifest, Store

RUNTIMES = {"tensorrt": "tensorrt", "ort-cuda": "onnxruntime"}
Threads = Callable[[str], int]
Opener = Callable[[bytes, str], Session]  # of an engine's bytes and its graph


@dataclass(frozen=True, slots=True)
class Opened:
    """Sessions by graph, the engines they are of, and for what could not be used the reason."""

    sessions: dict[str, Session] = field(default_factory=dict)
    engines: dict[str, Engine] = field(default_factory=dict)
    refused: dict[str, EngineError] = field(default_factory=dict)


@cache
def here(backend: Backend) -> tuple[str, str]:
    """Device and runtime of this box as engines are keyed by: ("AMD EPYC", "onnxruntime 1.32.0").

    A GPU is known by name and compute capability: ("Orin 8.7", "tensorrt 10.3.0").

    Raises:
        StoreError: engine_stale, this box has no such backend.
    """
    if backend == "ort-cpu":
        return _processor(), f"onnxruntime {ort.__version__}"
    it = device()
    if lacking := it.lacking(backend):
        raise StoreError("engine_stale", f"{backend} is not to be had on this box: {lacking}")
    version = it.tensorrt if backend == "tensorrt" else it.onnxruntime
    return f"{it.gpu} {it.sm}", f"{RUNTIMES[backend]} {version}"


def open_engines(
    pack: VoicePack,
    store: Store,
    threads: Threads,
    openers: Mapping[Backend, Opener] = MappingProxyType({}),
    kept: Opened | None = None,
) -> Opened:
    """Open what the store holds for a pack: hashed first, then loaded.

    openers: for backends other than ONNX Runtime on the CPU; see `gpu_openers`. kept: engines that
    are open already and stay so; one that has not changed shares its session. An engine that is
    damaged, or was built for another device or runtime, is in `refused`, and its graph is not in
    `sessions`.
    """
    opened, kept = Opened(), kept or Opened()
    try:
        manifest = store.read(pack)
    except StoreError as error:
        opened.refused["manifest"] = _bare(error)
        return opened
    for name, engine in (manifest or Manifest(pack.file.name, "", {})).engines.items():
        try:
            held = kept.sessions.get(name) if _same(engine, kept.engines.get(name)) else None
            session = held or _open(pack, store, engine, threads, openers)
        except EngineError as error:
            opened.refused[name] = _bare(error)
        except BaseException:
            release(it for n, it in opened.sessions.items() if it is not kept.sessions.get(n))
            raise
        else:
            if session is not None:
                opened.sessions[name] = session
            opened.engines[name] = engine
    return opened


def _bare(error: EngineError) -> EngineError:
    """The error without the frames it passed through, which hold whole files in memory."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _same(engine: Engine, other: Engine | None) -> bool:
    """Whether both are the same bytes, run by the same backend."""
    return other is not None and (engine.sha256, engine.backend) == (other.sha256, other.backend)


def _open(
    pack: VoicePack,
    store: Store,
    engine: Engine,
    threads: Threads,
    openers: Mapping[Backend, Opener],
) -> Session | None:
    """The session of one engine; None where the pack's own graph won on the CPU."""
    device, runtime = here(engine.backend)
    if (engine.device, engine.runtime) != (device, runtime):
        raise StoreError(
            "engine_stale",
            f"the engine of {engine.graph} was built for {engine.device} with {engine.runtime}, "
            f"this is {device} with {runtime}; build the engines again",
        )
    if not engine.file:
        return None
    data = store.data(pack, engine)
    if engine.backend == "ort-cpu":
        return OrtSession(data, threads(engine.graph))
    if engine.backend not in openers:
        raise StoreError(
            "engine_stale", f"nothing opens engines for {engine.backend} here; build for ort-cpu"
        )
    return openers[engine.backend](data, engine.graph)


def _processor() -> str:
    """Name of the processor, as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
