"""One graph's way up the ladder: every rung built and timed here, the fastest that passes wins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from engines.errors import EngineError
from engines.session import Session
from engines.store import Backend, Lost, Precision
from trt_build.errors import BuildError
from trt_build.stopwatch import Spoken, clock

# A lower precision must be faster by this much to be worth its loss, and to be no accident.
HANDICAP: Mapping[Precision, float] = {
    "fp32": 1.0,
    "fp16": 1.02,
    "int8-fp32-scales": 1.04,
    "int8": 1.04,
}
SMALLER = 0.9  # the same for INT8 on a processor: a quarter of the memory may cost a little time
# What stops a build altogether: the next rung would fare no better, or is not wanted.
FATAL = ("disk_full", "cannot_write", "build_cancelled", "prove_missing", "not_comparable")


class Verdict(Protocol):
    """What the audio gate says. strain: 0 (no loss) to 1 (all that is allowed), beyond if failed.

    mean: its figures, by name.
    """

    @property
    def passed(self) -> bool: ...

    @property
    def reasons(self) -> tuple[str, ...]: ...

    @property
    def mean(self) -> dict[str, float]: ...

    @property
    def strain(self) -> float: ...


Gate = Callable[[Mapping[str, Session]], Verdict]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Failed:
    """The verdict on what could not even speak."""

    reasons: tuple[str, ...]
    passed: bool = False
    mean: dict[str, float] = field(default_factory=dict)
    strain: float = float("inf")


@dataclass(slots=True)
class Entry:
    """A way to compute a graph here. file: None for the voice pack's own graph, which needs no
    gate. opener: loads it. time_ms: for one second of speech."""

    backend: Backend
    precision: Precision
    file: Path | None
    opener: Callable[[], Session]
    note: str = ""
    time_ms: float = 0.0
    verdict: Verdict | None = None
    _session: Session | None = None

    @property
    def session(self) -> Session:
        """It, loaded."""
        if self._session is None:
            self._session = self.opener()
        return self._session

    @property
    def handicap(self) -> float:
        """Factor on its time when it is compared with others."""
        if (self.backend, self.precision) == ("ort-cpu", "int8"):
            return SMALLER
        return HANDICAP[self.precision]

    def close(self) -> None:
        """Let go of what it takes."""
        session, self._session = self._session, None
        close = getattr(session, "close", None)  # those on a GPU have one
        if close is not None:
            close()

    def lost(self, code: str, reason: str) -> Lost:
        """As a loser."""
        told = f"{self.note}: {reason}" if self.note else reason
        return Lost(self.backend, self.precision, code, told, round(self.time_ms, 3))


@dataclass(frozen=True, slots=True)
class Rung:
    """One precision; make: builds its entries, one or several."""

    backend: Backend
    precision: Precision
    make: Callable[[], Sequence[Entry]]


class Climb:
    """One graph and what may compute it, the best that is left first, its own graph last."""

    def __init__(self, graph: str, standing: Sequence[Entry], lost: Iterable[Lost] = ()) -> None:
        self.graph, self._standing, self._lost = graph, list(standing), list(lost)

    @property
    def winner(self) -> Entry:
        """What stands first."""
        return self._standing[0]

    @property
    def lost(self) -> tuple[Lost, ...]:
        """The others and why, in the order of the ladder's times."""
        best = self.winner.time_ms
        slower = [
            entry.lost("slower", f"{entry.time_ms:.2f} ms for a second of speech, not {best:.2f}")
            for entry in self._standing[1:]
        ]
        return (*self._lost, *slower)

    def settle(self, gate: Gate, say: Say) -> None:
        """Put those to the gate, from the fastest on, until one passes."""
        while self.winner.file is not None:
            say(f"{self.graph} {self.winner.precision}: listening")
            verdict = self.judged(gate)
            if verdict.passed:
                break
            self._drop("gate_failed", "; ".join(verdict.reasons))
        for entry in self._standing[1:]:
            entry.close()

    def judged(self, gate: Gate) -> Verdict:
        """The verdict on the first alone."""
        if self.winner.verdict is None:
            self.winner.verdict = judge(gate, {self.graph: self.winner})
        return self.winner.verdict

    def give_up(self, reasons: Sequence[str], gate: Gate, say: Say) -> None:
        """The first passed alone, but not with the other graphs': take the next."""
        self._drop("together_failed", f"with the other graphs' engines: {'; '.join(reasons)}")
        self.settle(gate, say)

    def close(self) -> None:
        """Let go of all."""
        for entry in self._standing:
            with suppress(EngineError):
                entry.close()

    def _drop(self, code: str, reason: str) -> None:
        entry = self._standing.pop(0)
        entry.close()
        self._lost.append(entry.lost(code, reason))


def climb(
    graph: str, own: Entry, rungs: Iterable[Rung], said: Spoken, gate: Gate, say: Say
) -> Climb:
    """Build and time every rung of a graph, and find the fastest that passes the gate.

    own: the voice pack's graph on the processor, which always stands. said: what the graph is fed
    for a sentence.

    Raises:
        BuildError: of FATAL codes; all others are a rung that failed.
    """
    entries, lost = [own], list[Lost]()
    for rung in rungs:
        try:
            entries += _opened(rung.make(), lost)
        except (BuildError, EngineError) as error:
            if error.code in FATAL:
                raise
            lost.append(Lost(rung.backend, rung.precision, error.code, str(error)))
            say(f"{graph} {rung.precision}: {error} [{error.code}]")
    say(f"{graph}: timing {len(entries)} of {len(entries) + len(lost)}")
    times, failed = clock({i: entry.session for i, entry in enumerate(entries)}, said)
    for i, why in failed.items():
        lost.append(entries[i].lost(why.code, str(why)))
        entries[i].close()
    for i, taken in times.items():
        entries[i].time_ms = taken
    if 0 in failed:  # the voice itself is broken
        raise failed[0]
    order = sorted(times, key=lambda i: times[i] * entries[i].handicap)
    climbed = Climb(graph, [entries[i] for i in order], lost)
    climbed.settle(gate, say)
    return climbed


def judge(gate: Gate, entries: Mapping[str, Entry]) -> Verdict:
    """The gate's verdict on these; one that cannot speak has failed."""
    try:
        return gate({graph: entry.session for graph, entry in entries.items()})
    except EngineError as error:
        return Failed((f"it cannot speak: {error}",))


def _opened(made: Sequence[Entry], lost: list[Lost]) -> list[Entry]:
    """Those that load; the others have lost."""
    good = []
    for entry in made:
        try:
            assert entry.session is not None
        except EngineError as error:
            lost.append(entry.lost(error.code, str(error)))
        else:
            good.append(entry)
    return good
