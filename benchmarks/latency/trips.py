"""From a request to its answer where nothing is spoken: `hello` and `status`.

With an idle daemon, with one that speaks to busy clients, and with one that loads its voice again
and again beside that.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sambertd_client import Client
from sambertd_client.closing import Closing

from benchmarks.live.busy import Busy
from benchmarks.live.probe import Spread, spread
from benchmarks.live.process import DaemonProcess

COUNT = 500
BUSY = 4
REST_S = 0.002


def trips(count: int = COUNT) -> dict[str, Spread]:
    """Milliseconds, by what is asked and what else goes on."""
    told = {}
    with (
        tempfile.TemporaryDirectory(prefix="sd-") as folder,
        DaemonProcess(Path(folder)) as daemon,
        Client(daemon.endpoint, timeout=30) as client,
    ):
        daemon.warm_up()
        told["hello, idle"] = _measured(client.hello, count)
        told["status, idle"] = _measured(client.status, count)
        with Busy(daemon.endpoint, BUSY):
            time.sleep(1.0)
            told[f"hello, {BUSY} busy clients"] = _measured(client.hello, count)
            told[f"status, {BUSY} busy clients"] = _measured(client.status, count)
            with Loading(daemon.endpoint):
                told["status, and a voice loads"] = _measured(client.status, count)
    return told


class Loading(Closing):
    """A client that has the default voice loaded again and again until it is closed."""

    def __init__(self, endpoint: str) -> None:
        self.loads = 0
        self._endpoint, self._closed = endpoint, threading.Event()
        self._thread = threading.Thread(target=self._run, name="loading")
        self._thread.start()

    def _run(self) -> None:
        with Client(self._endpoint, timeout=60) as client:
            name = client.hello().voices[0]
            while not self._closed.is_set():
                client.load(name)
                self.loads += 1

    def close(self) -> None:
        """The load at hand is waited for."""
        self._closed.set()
        self._thread.join()


def _measured(ask: Callable[[], object], count: int) -> Spread:
    times = []
    for _ in range(count):
        asked = time.perf_counter()
        ask()
        times.append(1000 * (time.perf_counter() - asked))
        time.sleep(REST_S)
    return spread(times)
