"""Clients that keep a daemon busy, so that another can be measured beside them."""

from __future__ import annotations

import threading
from itertools import cycle

from sambertd_client import Client
from sambertd_client.closing import Closing

from benchmarks.sentences import SENTENCES


class Busy(Closing):
    """`count` clients, each in a thread, that say one sentence after another until closed.

    They take the audio as soon as it comes, and nothing of it from a cache.
    """

    def __init__(self, endpoint: str, count: int) -> None:
        self._endpoint, self._closed = endpoint, threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(at,)) for at in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self, first: int) -> None:
        texts = cycle(SENTENCES[first:] + SENTENCES[:first])
        with Client(self._endpoint, timeout=30) as client:
            while not self._closed.is_set():
                client.say(next(texts), cache="ignore").wait()

    def close(self) -> None:
        """What they say is said to its end."""
        self._closed.set()
        for thread in self._threads:
            thread.join()
