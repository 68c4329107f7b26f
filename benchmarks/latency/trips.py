"""From a request to its answer where nothing is spoken: `hello` and `status`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sambertd_client import Client

from benchmarks.live.busy import Busy
from benchmarks.live.probe import Spread, spread
from benchmarks.live.process import DaemonProcess

COUNT = 500
BUSY = 4
REST_S = 0.002


def trips(count: int = COUNT) -> dict[str, Spread]:
    """Milliseconds, with an idle daemon and with one that speaks to busy clients."""
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
    return told


def _measured(ask: Callable[[], object], count: int) -> Spread:
    times = []
    for _ in range(count):
        asked = time.perf_counter()
        ask()
        times.append(1000 * (time.perf_counter() - asked))
        time.sleep(REST_S)
    return spread(times)
