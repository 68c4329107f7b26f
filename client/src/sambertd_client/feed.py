"""Texts as they come, drawn where waiting for them holds nobody up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable

from .closing import Closing


class Feed(Closing):
    """Draws from `texts` in a thread of its own, one text ahead; `take` is for one other thread.

    `fileno` can be polled for reading: it is readable while `rings`. Once closed, no more is drawn;
    a thread that waits within `texts` ends with its next text, or with the process.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._bell, self._rope = socket.socketpair()
        self._closed = False
        self._lock = threading.Lock()  # of the rope: whoever pulls it must not find it given back
        self._room = threading.Semaphore(1)
        self._drawn: str | BaseException | None = None
        self.rings = False
        drawing = threading.Thread(target=self._draw, args=(texts,), name="feed", daemon=True)
        drawing.start()

    def fileno(self) -> int:
        return self._bell.fileno()

    def take(self) -> str | None:
        """The text that it rings for; None: that was all. Raises what `texts` has raised."""
        self._bell.recv(1)
        self.rings, drawn, self._drawn = False, self._drawn, None
        self._room.release()
        if isinstance(drawn, BaseException):
            raise drawn
        return drawn

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._bell.close()
            self._rope.close()
        self._room.release()

    def _draw(self, texts: Iterable[str]) -> None:
        try:
            for text in texts:
                if not self._hand(text):
                    return
            self._hand(None)
        except BaseException as trouble:  # noqa: BLE001 - `texts` is the caller's, who is told
            self._hand(trouble)

    def _hand(self, drawn: str | BaseException | None) -> bool:
        """Whether anybody still wants it."""
        self._room.acquire()
        with self._lock:
            if self._closed:
                return False
            self._drawn, self.rings = drawn, True
            self._rope.send(b"\0")
        return True
