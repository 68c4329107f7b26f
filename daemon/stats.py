"""What the daemon has done since it started."""

from __future__ import annotations

import statistics
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from sambertd_client.protocol import Percentiles, Why

from daemon.stream import Stream
from engines.histogram import Histogram

MEDIAN_OF = 100  # utterances
FIRST_AUDIO_MS = (5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000)


@dataclass(slots=True)
class Stats:
    """Counters of the service; `ttfa_ms` keeps the last 1000 utterances."""

    requests: int = 0
    bad_messages: int = 0
    audio_s: float = 0.0
    synth_s: float = 0.0
    ends: Counter[str] = field(default_factory=Counter)  # by `why`
    codes: Counter[str] = field(default_factory=Counter)  # of refusals and errors
    priorities: Counter[str] = field(default_factory=Counter)  # of accepted utterances
    sinks: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    ttfa_ms: deque[float] = field(default_factory=lambda: deque(maxlen=1000))
    first_audio_ms: Histogram = field(default_factory=lambda: Histogram(FIRST_AUDIO_MS))

    def accept(self, stream: Stream) -> None:
        self.priorities[stream.wish.priority] += 1
        self.sinks[stream.sink] += 1

    def refuse(self, code: str) -> None:
        """A `say` was answered by an error."""
        self.refused += 1
        self.codes[code] += 1

    def count(
        self, why: Why, code: str | None, stream: Stream, audio_s: float, ttfa_ms: float | None
    ) -> None:
        """One utterance has ended."""
        self.ends[why] += 1
        if code is not None:
            self.codes[code] += 1
        self.audio_s += audio_s
        self.synth_s += stream.synth_s
        if ttfa_ms is not None:
            self.ttfa_ms.append(ttfa_ms)
            self.first_audio_ms.note(ttfa_ms)

    def ttfa_ms_p50(self) -> float | None:
        last = list(islice(reversed(self.ttfa_ms), MEDIAN_OF))
        return statistics.median(last) if last else None

    def percentiles(self) -> Percentiles:
        """Of the time to the first audio, in ms."""
        times = sorted(self.ttfa_ms)
        if not times:
            return Percentiles(count=0)
        p50, p90, p99 = (_quantile(times, part) for part in (0.5, 0.9, 0.99))
        return Percentiles(count=len(times), p50=p50, p90=p90, p99=p99)


def _quantile(ordered: Sequence[float], part: float) -> float:
    """The smallest value that is at least as large as this part of them."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
