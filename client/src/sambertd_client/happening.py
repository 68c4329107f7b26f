"""The course of a subscription, without IO."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from . import protocol as wire
from .errors import NoDaemonError
from .line import Line
from .steps import Steps, Wait


class Happening:
    """Events of these kinds, or of all. Its generators are run by a client."""

    def __init__(self, line: Line, kinds: Sequence[wire.EventKind]) -> None:
        self._line = line
        self._request = wire.Subscribe(id=line.new_id(), kinds=list(kinds))

    def begin(self) -> Steps[None]:
        yield from self._line.ask(self._request, wire.Subscribed, keep=True)

    def next(self, timeout_s: float) -> Steps[wire.Event | None]:
        """The next event; None: there was none in time."""
        self._line.check()
        inbox = self._line.inboxes[self._request.id]
        deadline = time.monotonic() + timeout_s
        while True:
            while inbox:
                event, _ = inbox.popleft()
                if isinstance(event, wire.Event):
                    return event
            if not (yield Wait(self._request.id, deadline)) and time.monotonic() >= deadline:
                return None

    def follow(self) -> Steps[wire.Event]:
        """The next event, asking again where the daemon is silent. Raises NoDaemonError."""
        while True:
            event = yield from self.next(self._line.timeout)
            if event is not None:
                return event
            yield from self._renew()

    def _renew(self) -> Steps[None]:
        inbox = self._line.inboxes[self._request.id]
        self._line.send(self._request)
        deadline = time.monotonic() + self._line.timeout
        while not inbox:
            if not (yield Wait(self._request.id, deadline)) and time.monotonic() >= deadline:
                hello = wire.Hello(id=self._line.new_id())
                yield from self._line.ask(hello, wire.Welcome)  # raises NoDaemonError, in words
                return

    def end(self) -> None:
        with suppress(NoDaemonError):
            self._line.send(wire.Unsubscribe(id=self._request.id))
        self._line.forget(self._request.id)
