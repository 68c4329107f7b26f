"""What long work is doing, line by line, while it does it; and its end when it is told to stop."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Progress:
    """Lines with the seconds since the start."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream, self._start = stream or sys.stderr, time.monotonic()

    def __call__(self, what: str) -> None:
        """Say what begins now."""
        print(f"[{time.monotonic() - self._start:6.1f} s] {what}", file=self._stream, flush=True)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the work as Ctrl-C does: what was begun is cleared away."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: object) -> None:
    sys.exit(128 + number)
