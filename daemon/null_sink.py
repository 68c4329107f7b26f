"""A sound device that nobody hears: it takes samples in real time and drops them.

For machines without a card, and as the last of a fallback order, so that requests end as they
would with a speaker: `done` comes when the audio would have been played.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

NAME = "null"
BLOCK_S = 0.01
MOST_BEHIND_S = 0.1  # a machine that was stopped for longer does not catch up
NO_FLAGS = SimpleNamespace(output_underflow=False)


class NullStream:
    """What daemon/keeper.py uses of a stream of sounddevice; int16 at `rate` Hz."""

    latency = BLOCK_S  # seconds

    def __init__(
        self,
        rate: int,
        callback: Callable[[Any, int, Any, Any], None],
        finished: Callable[[], None],
    ) -> None:
        self._frames = int(rate * BLOCK_S)
        self._callback = callback
        self._finished = finished
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="null sink", daemon=True)

    def start(self) -> None:
        """Begin to take samples."""
        self._thread.start()

    def abort(self, ignore_errors: bool = True) -> None:
        """Take no more."""
        self._stop.set()

    def close(self, ignore_errors: bool = True) -> None:
        """Wait until the callback runs no more."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(5)

    def _run(self) -> None:
        block, due = bytearray(2 * self._frames), time.monotonic()
        try:
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                self._callback(block, self._frames, None, NO_FLAGS)
                due = max(due + BLOCK_S, time.monotonic() - MOST_BEHIND_S)
        finally:
            self._finished()
