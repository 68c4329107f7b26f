"""How many streams at once this machine speaks in real time, in decoder batches and without."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from sambertd_client import Client

from benchmarks.live.process import SILENT, DaemonProcess
from benchmarks.sentences import SENTENCES
from benchmarks.speed import BUILT_IN

COUNTS = (1, 2, 4, 8, 12, 16)  # the last is the most that can be in work at once
TRIES = 2  # the better one counts: what else the machine does must not
SETTINGS = f"[limits]\nin_work = {COUNTS[-1]}\n{SILENT}[engines]\nbatching = "
WAYS = {"together": "true", "apart": "false"}


@dataclass(frozen=True, slots=True)
class Run:
    """So many streams at once.

    buffer_ms: how long after its first audio each would have to begin to play, so that none ever
    waits for a piece. faster: seconds of speech per second, of all streams together.
    """

    streams: int
    buffer_ms: float
    faster: float


def streams(voice: Path = BUILT_IN) -> dict[str, list[Run]]:
    """For each way, for 1 to 16 streams; a daemon for each way, and they take turns."""
    with tempfile.TemporaryDirectory(prefix="sd-") as name, ExitStack() as stack:
        shelf = _alone(voice, Path(name))
        daemons = {
            way: stack.enter_context(
                DaemonProcess(Path(name), shelf, f"{SETTINGS}{batching}\n", name=way)
            )
            for way, batching in WAYS.items()
        }
        for daemon in daemons.values():
            daemon.warm_up()
        told: dict[str, list[Run]] = {way: [] for way in WAYS}
        for count in COUNTS:
            print(f"streams: {count} at once ...", file=sys.stderr, flush=True)
            tries = [[at_once(d.endpoint, count) for d in daemons.values()] for _ in range(TRIES)]
            for way, runs in zip(WAYS, zip(*tries, strict=True), strict=True):
                told[way].append(min(runs, key=lambda run: run.buffer_ms))
    return told


def most(runs: list[Run], buffer_ms: float) -> int:
    """The greatest number of streams that such a buffer was enough for, and for all fewer ones."""
    good = takewhile(lambda run: run.buffer_ms <= buffer_ms, runs)
    return max((run.streams for run in good), default=0)


def _alone(voice: Path, folder: Path) -> Path:
    shelf = folder / "voices"
    shelf.mkdir()
    (shelf / voice.name).symlink_to(voice.resolve())
    return shelf


def at_once(endpoint: str, count: int) -> Run:
    """`count` clients say four sentences each at the same moment, and take what comes."""
    late_s, spoken_s = [0.0] * count, [0.0] * count
    start = threading.Barrier(count)

    def listen(number: int) -> None:
        text = "".join(SENTENCES[(number + at) % len(SENTENCES)] for at in range(4))
        with Client(endpoint, timeout=60) as client:
            client.hello()
            start.wait()
            spoken, began = client.say(text, cache="ignore"), 0.0
            for pcm in spoken:
                now = time.monotonic()
                began = began or now
                late_s[number] = max(late_s[number], now - began - spoken_s[number])
                spoken_s[number] += len(pcm) / 2 / spoken.rate

    threads = [threading.Thread(target=listen, args=(number,)) for number in range(count)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Run(count, 1000 * max(late_s), sum(spoken_s) / (time.monotonic() - begun))
