"""What a soak has seen, and what must hold of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from sambertd_client.protocol import StatsReport, StatusReport

from benchmarks.live.probe import Spread
from benchmarks.live.process import Holdings
from benchmarks.soak.account import Account
from benchmarks.soak.watch import Look

JUDGED_S = 180.0  # a shorter soak has not come to rest, and what it holds is only told
WARM_UP = 0.2  # of the time
FLAT = 1.05
SPARE = 4  # files and threads more than before


@dataclass(slots=True)
class Outcome:
    """All that was seen. first_ms: to the first audio as clients saw it, by sink.

    rss_mb: see `flatness`. holdings: before, and after all clients had left.
    """

    seconds: float
    speaker: bool
    account: Account
    garbage: int
    looks: list[Look]
    status: StatusReport
    stats: StatsReport
    status_ms: Spread
    first_ms: dict[str, Spread]
    rss_mb: tuple[float, float]
    holdings: tuple[Holdings, Holdings]
    broken: list[str] = field(default_factory=list)

    @property
    def judged(self) -> bool:
        """Whether it was long enough to tell what the daemon holds for good."""
        return self.seconds >= JUDGED_S


def flatness(looks: list[Look]) -> tuple[float, float]:
    """Resident MB in quiet moments of the first and of the second half, after the warm-up.

    A quiet moment is one of the lowest tenth. While a voice is loaded beside another, or a long
    text waits for a slow client, it has use for more: only what it keeps raises the lowest tenth.
    """
    settled = [look.rss_mb for look in looks[int(WARM_UP * len(looks)) :]]
    middle = len(settled) // 2
    return _lowest_tenth(settled[:middle]), _lowest_tenth(settled[middle:])


def _lowest_tenth(values: list[float]) -> float:
    return sorted(values)[len(values) // 10] if values else 0.0


def broken(outcome: Outcome) -> list[str]:
    """The rules that were broken, in words."""
    account, status = outcome.account, outcome.status
    words = [f"nobody asked for: {fault}" for fault in account.faults]
    if status.in_work or status.waiting:
        words.append(f"{status.in_work + status.waiting} requests never ended")
    if status.state != "ready":
        words.append(f"it is {status.state}: {status.detail}")
    spoken = status.requests - status.refused - account.repeats
    ended = sum(outcome.stats.ends.values())
    if spoken != ended:
        words.append(f"{spoken} requests were accepted, and {ended} ended")
    return words + (_kept(outcome) if outcome.judged else [])


def _kept(outcome: Outcome) -> list[str]:
    """What was not given back."""
    words, (first, last), (before, after) = [], outcome.rss_mb, outcome.holdings
    if last > FLAT * first:
        words.append(f"memory in quiet moments grew from {first:.0f} to {last:.0f} MB")
    if after.files > before.files + SPARE:
        words.append(f"{after.files} files are open, {before.files} were before")
    if after.threads > before.threads + SPARE:
        words.append(f"there are {after.threads} threads, {before.threads} were before")
    return words
