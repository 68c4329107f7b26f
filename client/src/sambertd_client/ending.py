"""SIGTERM and SIGHUP end a command of `sambertctl` as Ctrl-C does: what it began is cancelled."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

BY = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ends_by_signals() -> Iterator[None]:
    """Within it they raise SystemExit with 128 and their number; not where they are ignored."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in BY:
            if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` has SIGHUP ignored
                before[number] = signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)
