"""How soon `status` is answered, asked again and again while others do their worst."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from sambertd_client import Client, SambertdError
from sambertd_client.closing import Closing
from sambertd_client.protocol import StatusReport


@dataclass(frozen=True, slots=True)
class Spread:
    """Of so many values; milliseconds where they are times. All 0 of none."""

    count: int
    p50: float
    p99: float
    most: float


def spread(values: list[float]) -> Spread:
    """Median, 99th percentile and greatest of the values."""
    if not values:
        return Spread(0, 0.0, 0.0, 0.0)
    ordered = sorted(values)
    last = len(ordered) - 1
    return Spread(len(ordered), ordered[last // 2], ordered[round(0.99 * last)], ordered[-1])


class Probe(Closing):
    """Asks for the status every `every_s` seconds, in a thread of its own, until it is closed."""

    def __init__(self, endpoint: str, every_s: float = 0.02, timeout_s: float = 10.0) -> None:
        self.trips_ms: list[float] = []
        self.last: StatusReport | None = None
        self.error: SambertdError | None = None
        self._every_s = every_s
        self._client = Client(endpoint, timeout=timeout_s)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe")
        self._thread.start()

    def _run(self) -> None:
        while not self._closed.wait(self._every_s):
            asked = time.perf_counter()
            try:
                self.last = self._client.status()
            except SambertdError as error:
                self.error = error
                return
            self.trips_ms.append(1000 * (time.perf_counter() - asked))

    def close(self) -> None:
        """Ask no more."""
        self._closed.set()
        self._thread.join()
        self._client.close()
