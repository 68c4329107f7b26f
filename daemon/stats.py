"""What the daemon has done since it started."""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass, field

from sambertd_client.protocol import Why


@dataclass(slots=True)
class Stats:
    """Counters of the service; `ttfa_ms` keeps the last 100 utterances."""

    requests: int = 0
    done: int = 0
    cancelled: int = 0
    superseded: int = 0
    failed: int = 0
    refused: int = 0
    bad_messages: int = 0
    audio_s: float = 0.0
    synth_s: float = 0.0
    ttfa_ms: deque[float] = field(default_factory=lambda: deque(maxlen=100))

    def count(self, why: Why, audio_s: float, synth_s: float, ttfa_ms: float | None) -> None:
        """One utterance has ended. Seconds of speech and of the engine; milliseconds."""
        self.done += why == "end"
        self.cancelled += why == "cancelled"
        self.superseded += why == "superseded"
        self.failed += why == "error"
        self.audio_s += audio_s
        self.synth_s += synth_s
        if ttfa_ms is not None:
            self.ttfa_ms.append(ttfa_ms)

    def ttfa_ms_p50(self) -> float | None:
        return statistics.median(self.ttfa_ms) if self.ttfa_ms else None
