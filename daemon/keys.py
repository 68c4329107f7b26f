"""Requests that may be sent twice and are spoken once: by the key their client gave them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import msgspec
from sambertd_client import protocol as wire

from daemon.stream import Stream

MOST_KEYS = 1000
KEPT_S = 600.0  # after their end


@dataclass(slots=True)
class Known:
    """What was answered to the first request with a key."""

    stream: Stream
    accepted: wire.Accepted
    done: wire.Done | None = None
    ended: float = 0.0

    def answers(self, request_id: str) -> list[wire.Message]:
        """The same for another request."""
        said = (self.accepted, self.done)
        return [msgspec.structs.replace(one, id=request_id) for one in said if one is not None]


class Keys:
    """The last MOST_KEYS keys; of those that have ended, those of the last KEPT_S seconds.

    One that ended in an error, or with its connection, is forgotten: who sends it again wants it
    tried again. Cancelled and superseded were asked for, and stay so.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, Known] = OrderedDict()

    def remember(self, key: str, stream: Stream, accepted: wire.Accepted) -> None:
        self._known.pop(key, None)
        self._known[key] = Known(stream, accepted)
        while len(self._known) > MOST_KEYS:
            self._known.popitem(last=False)

    def finished(self, stream: Stream, done: wire.Done, now: float) -> None:
        key = stream.wish.key or ""
        known = self._known.get(key)
        if known is None or known.stream is not stream:
            return
        known.done, known.ended = done, now
        if done.why == "error":
            del self._known[key]

    def find(self, key: str | None, now: float) -> Known | None:
        known = self._known.get(key or "")
        if known is not None and known.done is not None and now - known.ended > KEPT_S:
            del self._known[key or ""]
            return None
        return known
