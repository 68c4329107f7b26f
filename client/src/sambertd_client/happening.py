"""The course of a subscription, without IO: its events, and what silence means."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress

from . import protocol as wire
from .errors import CLOSED, NoDaemonError, RefusedError
from .line import LOOK_S, Inbox, Line
from .steps import Steps, Wait

RESTARTED, RECONNECTED = "restarted", "connected again"  # texts of the event that tells it


class Happening:
    """Events of these kinds, or of all. Its generators are run by a client.

    In each second of silence it subscribes again, with the same id: to a daemon that knows it that
    changes nothing, and another one goes on telling.
    """

    def __init__(self, line: Line, kinds: Sequence[wire.EventKind]) -> None:
        self._line = line
        self._request = wire.Subscribe(id=line.new_id(), kinds=list(kinds))
        self._silent_s = 0.0  # waited without any news since it was last asked
        self._unanswered_s: float | None = None  # waited for an answer; None: not asked
        self._next_seq = 0
        self._instance = ""

    def begin(self) -> Steps[None]:
        subscribed = yield from self._line.ask(self._request, wire.Subscribed, keep=True)
        self._next_seq, self._instance = subscribed.next_seq, subscribed.instance
        self._line.subscription = self._request.id

    def next(self, timeout_s: float) -> Steps[wire.Event | None]:
        """The next event; None: there was none in time.

        Raises NoDaemonError where the daemon is silent, or, with the code closed, where this has
        ended or a newer one took its place; RefusedError where another daemon refuses.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            inbox = self._inbox()
            while inbox:
                event = self._read(inbox.popleft()[0])
                if event is not None:
                    return event
            if time.monotonic() >= deadline:
                return None
            yield from self._wait(deadline)

    def follow(self) -> Steps[wire.Event]:
        """The next event, however long it takes."""
        event = None
        while event is None:
            event = yield from self.next(math.inf)
        return event

    def end(self) -> None:
        if not self._is_replaced():
            with suppress(NoDaemonError):
                self._line.send(wire.Unsubscribe(id=self._request.id))
        self._line.forget(self._request.id)

    def _inbox(self) -> Inbox:
        self._line.check()
        inbox = self._line.inboxes.get(self._request.id)
        if inbox is None or self._is_replaced():
            text = "this subscription has ended; subscribe again, a client has one at a time"
            raise NoDaemonError(text, CLOSED)
        return inbox

    def _is_replaced(self) -> bool:
        return self._line.subscription != self._request.id

    def _wait(self, deadline: float) -> Steps[None]:
        """For any news; where there are none, ask."""
        began = time.monotonic()
        if (yield Wait(self._request.id, min(deadline, began + LOOK_S))):
            self._silent_s, self._unanswered_s = 0.0, None
            return
        waited = time.monotonic() - began
        self._silent_s += waited
        if self._unanswered_s is not None:
            self._unanswered_s += waited
            if self._unanswered_s >= self._line.timeout:
                raise NoDaemonError(self._line.silence())
        if self._silent_s >= LOOK_S:
            self._silent_s, self._unanswered_s = 0.0, self._unanswered_s or 0.0
            self._line.send(self._request)

    def _read(self, reply: wire.Reply) -> wire.Event | None:
        if isinstance(reply, wire.Event):
            self._next_seq = reply.seq + 1
            return reply
        if isinstance(reply, wire.Subscribed):
            return self._renewed(reply)
        if isinstance(reply, wire.Error) and reply.code != wire.RATE_LIMITED:
            raise RefusedError(reply)
        return None

    def _renewed(self, reply: wire.Subscribed) -> wire.Event | None:
        """An event that is nobody's but ours, where the daemon took us for somebody new."""
        restarted = reply.instance != self._instance
        if not restarted and reply.next_seq >= self._next_seq:
            return None
        self._next_seq, self._instance = reply.next_seq, reply.instance
        if self._request.kinds and "state" not in self._request.kinds:
            return None
        text = RESTARTED if restarted else RECONNECTED
        return wire.Event(id=reply.id, seq=reply.next_seq - 1, kind="state", at_s=0.0, text=text)
