"""Replies that found the pipe of their client full: kept in their order, sent when there is room.

A pipe is full for a moment where many requests come at once, and for long where a client does not
read. ZeroMQ does not tell when there is room again, so it is tried again and again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from daemon.events import Post
from daemon.transport import Delivery

MOST_BYTES = 65536  # of one client's; hundreds of replies


@dataclass(slots=True)
class _Kept:
    messages: deque[list[bytes]] = field(default_factory=deque)
    size: int = 0


class Backlog:
    """Sends through a `post`. Nothing to a client overtakes what is kept for it."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._kept: dict[bytes, _Kept] = {}

    def __len__(self) -> int:
        """Clients that something is kept for."""
        return len(self._kept)

    def send(self, client: bytes, frames: list[bytes], /) -> Delivery:
        """Send a message now, or not at all."""
        return Delivery.FULL if client in self._kept else self._post.send(client, frames)

    def insist(self, client: bytes, frames: list[bytes]) -> Delivery:
        """Send a message now or later; FULL: its client leaves too much unread, it is lost."""
        delivery = self.send(client, frames)
        if delivery is not Delivery.FULL:
            return delivery
        kept = self._kept.setdefault(client, _Kept())
        size = sum(map(len, frames))
        if kept.size + size > MOST_BYTES:
            return Delivery.FULL
        kept.messages.append(frames)
        kept.size += size
        return Delivery.SENT

    def flush(self) -> list[bytes]:
        """Send what there is room for now; the clients that have gone."""
        gone = []
        for client, kept in list(self._kept.items()):
            delivery = Delivery.SENT
            while kept.messages and delivery is Delivery.SENT:
                delivery = self._post.send(client, kept.messages[0])
                if delivery is Delivery.SENT:
                    kept.size -= sum(map(len, kept.messages.popleft()))
            if delivery is not Delivery.FULL:
                del self._kept[client]
            if delivery is Delivery.GONE:
                gone.append(client)
        return gone
