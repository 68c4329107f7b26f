"""What the daemon holds and how it answers, second by second."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from sambertd_client.closing import Closing

from benchmarks.live.probe import Probe, spread
from benchmarks.live.process import DaemonProcess

EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """At one moment. at_s: since the start; status_ms: the slowest answer since the look before."""

    at_s: float
    rss_mb: float
    files: int
    threads: int
    in_work: int
    waiting: int
    status_ms: float


class Watch(Closing):
    """Looks once a second until it is closed, or the daemon has ended."""

    def __init__(self, daemon: DaemonProcess, probe: Probe) -> None:
        self.looks: list[Look] = []
        self._daemon, self._probe = daemon, probe
        self._start, self._asked = time.monotonic(), 0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")
        self._thread.start()

    def _run(self) -> None:
        while not self._closed.wait(EVERY_S) and self._daemon.alive:
            try:
                self.looks.append(self._look())
            except OSError:  # it has just ended
                return

    def _look(self) -> Look:
        held, trips, report = self._daemon.holds(), self._probe.trips_ms[:], self._probe.last
        latest, self._asked = trips[self._asked :], len(trips)
        return Look(
            at_s=time.monotonic() - self._start,
            rss_mb=held.rss_bytes / 1e6,
            files=held.files,
            threads=held.threads,
            in_work=0 if report is None else report.in_work,
            waiting=0 if report is None else report.waiting,
            status_ms=spread(latest).most,
        )

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        self._thread.join()
