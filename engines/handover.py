"""What a decoder thread hands to the vocoder: a bounded queue that ends with its reader's wish."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Stopped = Callable[[], bool]
POLL_S = 0.05  # how soon a thread that waits for the other notices cancel

T = TypeVar("T")


class Handover(Generic[T]):
    """Items from one thread to another, None behind the last."""

    def __init__(self, size: int, stopped: Stopped) -> None:
        """size: items that may wait. stopped: asked often, from any thread."""
        self._size, self.stopped = size, stopped
        self._items: deque[T | None] = deque()
        self._changed = threading.Condition()

    @property
    def full(self) -> bool:
        """Whether `put` would wait."""
        return len(self._items) >= self._size

    def put(self, item: T | None, ahead: int | None = None) -> None:
        """Wait for room, but not once stopped: then the item is lost, as nobody wants it.

        ahead: items that may wait already, fewer than usual where this one is large.
        """
        most = self._size - 1 if ahead is None else ahead
        with self._changed:
            while len(self._items) > most:
                if self.stopped():
                    return
                self._changed.wait(POLL_S)
            self._items.append(item)
            self._changed.notify_all()

    def get(self) -> T | None:
        """The next item; None at the end or once stopped."""
        while not self.stopped():
            with self._changed:
                if not self._items:
                    self._changed.wait(POLL_S)
                if self._items:
                    item = self._items.popleft()
                    self._changed.notify_all()
                    return item
        return None
