"""One graph tried on a GPU: built, loaded, run on what a voice feeds it, held against the CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np
import onnx

from engines.errors import EngineError
from engines.fixed_sizes import fixed_sizes
from engines.gpu import Gpu
from engines.ort_session import OrtSession
from engines.pack import GRAPHS, VoicePack
from engines.session import Array, Session
from engines.trt_session import TrtSession
from trt_build.errors import BuildError
from trt_build.feeds import Feeds, record
from trt_build.graph_file import read_graphs
from trt_build.profiles import Profile, profile, voice_dimensions

TEXT = "今天天气真好，我们去公园走走，看看花，喝杯茶，再慢慢地走回家。"
CALLS = 40  # of each graph, that are kept and timed
Build = Callable[[onnx.ModelProto, Profile], bytes]


@dataclass(frozen=True, slots=True)
class Trial:
    """How it went. Times in ms of a call, median; difference: the largest, by the largest value.

    said: "OK", or what went wrong.
    """

    graph: str
    said: str
    build_s: float = 0.0
    plan_bytes: int = 0
    cpu_ms: float = 0.0
    plain_ms: float = 0.0
    recorded_ms: float = 0.0
    difference: float = 0.0


def spoken_feeds(pack: VoicePack, text: str = TEXT) -> dict[str, list[Feeds]]:
    """What each graph is fed while the voice says a sentence; of many calls the first ones."""
    kept: dict[str, list[Feeds]] = {name: [] for name in GRAPHS}

    def keep(graph: str, feeds: Feeds) -> None:
        if len(kept[graph]) < CALLS:
            kept[graph].append({name: np.array(value) for name, value in feeds.items()})

    record(pack, [text], GRAPHS, keep)
    return kept


def trials(gpu: Gpu, pack: VoicePack, build: Build, progress: Callable[[str], None]) -> list[Trial]:
    """Every graph of a voice, as it is exported. A graph that fails does not stop the others."""
    progress("speaking a sentence on the processor")
    fed, models, dimensions = spoken_feeds(pack), read_graphs(pack), voice_dimensions(pack.file)
    out = []
    for graph in GRAPHS:
        progress(f"building {graph}, which may take minutes")
        try:
            shapes = profile(models[graph], dimensions[graph])
            out.append(_try(gpu, pack, graph, partial(build, models[graph], shapes), fed))
        except (EngineError, BuildError) as error:
            out.append(Trial(graph, f"{error} [{error.code}]"))
    return out


def _try(
    gpu: Gpu, pack: VoicePack, graph: str, build: Callable[[], bytes], fed: dict[str, list[Feeds]]
) -> Trial:
    start = time.monotonic()
    data = build()
    build_s = time.monotonic() - start
    cpu = OrtSession(pack.graphs[graph], 2)
    session = TrtSession(gpu, graph, data)
    try:
        expected, cpu_ms = _timed(cpu, fed[graph])
        _timed(session, fed[graph])  # each shape's first run is slower
        got, plain_ms = _timed(session, fed[graph])
        difference = _difference(expected, got)
        session.warm_up(fixed_sizes(graph, pack.file))
        got, recorded_ms = _timed(session, fed[graph])
        difference = max(difference, _difference(expected, got))
    finally:
        session.close()
    said = "OK" if np.isfinite(difference) else "gives values that are not finite"
    return Trial(graph, said, build_s, len(data), cpu_ms, plain_ms, recorded_ms, difference)


def _timed(session: Session, fed: list[Feeds]) -> tuple[list[dict[str, Array]], float]:
    outputs, times = [], []
    for feeds in fed:
        start = time.perf_counter()
        outputs.append(session.run(feeds))
        times.append(1000 * (time.perf_counter() - start))
    return outputs, median(times)


def _difference(expected: list[dict[str, Array]], got: list[dict[str, Array]]) -> float:
    """The largest difference of an output, as a share of the largest value it should have."""
    worst = 0.0
    for name in expected[0]:
        scale = max(float(np.abs(out[name]).max()) for out in expected) or 1.0
        for want, have in zip(expected, got, strict=True):
            if not np.isfinite(have[name]).all():
                return float("inf")
            worst = max(worst, float(np.abs(want[name] - have[name]).max()) / scale)
    return worst
