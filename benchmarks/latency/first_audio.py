"""From sending `say` to the first audio, as its client sees it: alone, and beside busy clients."""

from __future__ import annotations

import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from sambertd_client import Client

from benchmarks.live.busy import Busy
from benchmarks.live.probe import Spread, spread
from benchmarks.live.process import SILENT, DaemonProcess
from benchmarks.sentences import SENTENCES

BUSY = 4
COUNT = 60
REST_S = 0.05


def first_audio(count: int = COUNT) -> dict[str, Spread]:
    """Milliseconds. in_work of [limits] is 4 unless it is set."""
    return {
        **_of(SILENT, count, "4 in work (default)"),
        **_of(f"[limits]\nin_work = 8\n{SILENT}", count, "8 in work", alone=False),
    }


def _of(settings: str, count: int, name: str, alone: bool = True) -> dict[str, Spread]:
    told = {}
    with (
        tempfile.TemporaryDirectory(prefix="sd-") as folder,
        DaemonProcess(Path(folder), settings=settings) as daemon,
    ):
        daemon.warm_up()
        if alone:
            told["alone"] = _measured(daemon.endpoint, count)
        with Busy(daemon.endpoint, BUSY):
            time.sleep(1.0)
            told[f"{BUSY} busy clients, {name}"] = _measured(daemon.endpoint, count)
    return told


def _measured(endpoint: str, count: int) -> Spread:
    times = []
    with Client(endpoint, timeout=60) as client:
        for text in islice(cycle(SENTENCES), count):
            with client.say(text, cache="ignore") as spoken:
                next(iter(spoken))
            if spoken.ttfa_ms is not None:
                times.append(spoken.ttfa_ms)
            time.sleep(REST_S)
    return spread(times)
