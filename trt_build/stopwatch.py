"""How long sessions take for the calls that a spoken sentence is made of."""

from __future__ import annotations

import time
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from engines.errors import EngineError
from engines.pack import VoicePack
from engines.session import Array, Session
from trt_build.feeds import Feeds, record

Key = TypeVar("Key", bound=Hashable)
MOST_CALLS = 64  # of one graph that are timed
ROUNDS = 5
LONGEST_S = 20.0  # of timing one graph; one round is always done


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one graph was fed for so many seconds of speech; share: of all its calls, those here."""

    calls: Sequence[Mapping[str, Array]]
    seconds: float
    share: float = 1.0


def spoken(pack: VoicePack, texts: Sequence[str], graphs: Collection[str]) -> dict[str, Spoken]:
    """Speak texts on ONNX Runtime and keep what these graphs are fed.

    Raises:
        EngineError: the voice is broken.
    """
    kept: dict[str, list[dict[str, Array]]] = {name: [] for name in graphs}

    def sink(graph: str, feeds: Feeds) -> None:
        kept[graph].append({name: value.copy() for name, value in feeds.items()})

    seconds = record(pack, texts, graphs, sink)
    return {name: _some(calls, seconds) for name, calls in kept.items()}


def _some(calls: Sequence[dict[str, Array]], seconds: float) -> Spoken:
    """At most MOST_CALLS of them, evenly spread."""
    count = min(len(calls), MOST_CALLS)
    chosen = [calls[i * len(calls) // count] for i in range(count)]
    return Spoken(chosen, seconds, count / len(calls) if calls else 1.0)


def clock(
    sessions: Mapping[Key, Session], said: Spoken, rounds: int = ROUNDS
) -> tuple[dict[Key, float], dict[Key, EngineError]]:
    """Milliseconds that each session takes for one second of speech, and what failed to run.

    They take turns, since a machine's speed changes while it is measured; the median of the rounds
    counts. Before that each runs all calls once, unmeasured.
    """
    failed: dict[Key, EngineError] = {}
    for key, session in sessions.items():
        try:
            _run(session, said)
        except EngineError as error:
            failed[key] = error
    turns = [key for key in sessions if key not in failed]
    times: dict[Key, list[float]] = {key: [] for key in turns}
    end = time.monotonic() + LONGEST_S
    for number in range(rounds):
        for key in turns[number % len(turns) :] + turns[: number % len(turns)] if turns else ():
            times[key].append(_run(sessions[key], said))
        if time.monotonic() > end:
            break
    scale = 1000.0 / (said.seconds * said.share) if said.seconds else 0.0
    return {key: median(taken) * scale for key, taken in times.items()}, failed


def _run(session: Session, said: Spoken) -> float:
    """Seconds for all calls."""
    start = time.perf_counter()
    for feeds in said.calls:
        session.run(feeds)
    return time.perf_counter() - start
