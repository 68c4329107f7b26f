"""What a decoder thread hands to the vocoder: a bounded queue that ends with its reader's wish."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Generic, TypeVar

Stopped = Callable[[], bool]
POLL_S = 0.05  # how soon a thread that waits for the other notices cancel

T = TypeVar("T")


class Handover(Generic[T]):
    """Items from one thread to another, None behind the last."""

    def __init__(self, size: int, stopped: Stopped) -> None:
        """size: items that may wait. stopped: asked often, from any thread."""
        self._items: queue.Queue[T | None] = queue.Queue(size)
        self.stopped = stopped

    @property
    def full(self) -> bool:
        """Whether `put` would wait."""
        return self._items.full()

    def put(self, item: T | None) -> None:
        """Wait for room, but not once stopped: then the item is lost, as nobody wants it."""
        while True:
            try:
                self._items.put(item, timeout=POLL_S)
                return
            except queue.Full:
                if self.stopped():
                    return

    def get(self) -> T | None:
        """The next item; None at the end or once stopped."""
        while not self.stopped():
            try:
                return self._items.get(timeout=POLL_S)
            except queue.Empty:
                continue
        return None
