"""What happens in the daemon, told to whoever subscribed: numbered, and droppable.

An event that does not fit into a subscriber's pipe is dropped, and its number with it: a slow
reader sees the gap, and nobody waits for it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol, get_args

from sambertd_client import protocol as wire

from daemon.scheduler import RefusedError
from daemon.stream import Stream
from daemon.transport import Delivery

MOST_SUBSCRIBERS, MOST_OF_OWNER = 32, 16


class Post(Protocol):
    """Sends frames to a client without blocking: daemon.transport.Transport."""

    def send(self, client: bytes, frames: list[bytes], /) -> Delivery: ...


@dataclass(slots=True)
class Subscription:
    id: str
    kinds: frozenset[str]
    owner: str = ""
    seq: int = 0  # of the next event


class Events:
    """Subscribers by their connection: one subscription each."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._subscribed: dict[bytes, Subscription] = {}
        self._started = time.monotonic()
        self.told = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._subscribed)

    def subscribe(self, client: bytes, request: wire.Subscribe, owner: str) -> wire.Subscribed:
        """From now on; in the place of an earlier one of this client. Raises RefusedError."""
        kinds = frozenset(request.kinds or get_args(wire.EventKind))
        known = self._subscribed.get(client)
        if known is not None and known.id == request.id:
            known.kinds = kinds
        else:
            if known is None:
                self._check_room(owner)
            known = self._subscribed[client] = Subscription(request.id, kinds, owner)
        return wire.Subscribed(id=request.id, next_seq=known.seq)

    def _check_room(self, owner: str) -> None:
        mine = sum(one.owner == owner for one in self._subscribed.values())
        if len(self._subscribed) >= MOST_SUBSCRIBERS or mine >= MOST_OF_OWNER:
            text = f"{len(self._subscribed)} connections have subscribed, {mine} of {owner}"
            raise RefusedError(wire.BUSY, f"{text}; try again when one is gone")

    def unsubscribe(self, client: bytes) -> None:
        self._subscribed.pop(client, None)

    def banish(self, owner: str) -> None:
        """No more events for the connections of an owner."""
        self._subscribed = {c: one for c, one in self._subscribed.items() if one.owner != owner}

    def about(
        self, kind: wire.EventKind, stream: Stream, why: str = "", code: str | None = None
    ) -> None:
        """Something that happened to an utterance."""
        wish = stream.wish
        self._tell(
            kind,
            utterance=stream.id,
            sink=stream.sink,
            priority=wish.priority,
            why=why,
            code=code,
            samples=stream.samples,
            heard_samples=stream.heard,
        )

    def tell(self, kind: wire.EventKind, text: str) -> None:
        """Something that happened to the daemon, in words."""
        self._tell(kind, text=text)

    def _tell(self, kind: wire.EventKind, **facts: object) -> None:
        at_s = time.monotonic() - self._started
        for client, known in list(self._subscribed.items()):
            if kind not in known.kinds:
                continue
            event = wire.Event(id=known.id, seq=known.seq, kind=kind, at_s=at_s, **facts)  # type: ignore[arg-type]
            known.seq += 1
            delivery = self._post.send(client, [wire.encode(event)])
            self.told += delivery is Delivery.SENT
            self.dropped += delivery is Delivery.FULL
            if delivery is Delivery.GONE:
                del self._subscribed[client]
