"""Events of the daemon, as they happen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import protocol as wire
from .closing import Closing

if TYPE_CHECKING:
    from .client import Client


class Subscription(Closing):
    """Iterate for events, forever; or `next` for one, with a limit of time.

    Where the daemon is silent for the client's timeout it is asked again, so a daemon that was
    restarted goes on telling, with `seq` from 0. Raises NoDaemonError where there is none.
    """

    def __init__(self, client: Client, request: wire.Subscribe) -> None:
        self._client = client
        self._request = request
        self._client._ask(request, wire.Subscribed, keep=True)

    def next(self, timeout_s: float) -> wire.Event | None:
        """The next event; None: there was none in time."""
        inbox = self._client._inboxes[self._request.id]
        deadline = time.monotonic() + timeout_s
        while True:
            while inbox:
                event, _ = inbox.popleft()
                if isinstance(event, wire.Event):
                    return event
            if not self._client._pump(deadline) and time.monotonic() >= deadline:
                return None

    def __iter__(self) -> Iterator[wire.Event]:
        while True:
            event = self.next(self._client.timeout)
            if event is not None:
                yield event
            else:
                self._renew()

    def _renew(self) -> None:
        inbox = self._client._inboxes[self._request.id]
        self._client._send(self._request)
        deadline = time.monotonic() + self._client.timeout
        while not inbox:
            if not self._client._pump(deadline) and time.monotonic() >= deadline:
                self._client.hello()  # raises NoDaemonError, in words
                return

    def close(self) -> None:
        self._client._send(wire.Unsubscribe(id=self._request.id))
        self._client._inboxes.pop(self._request.id, None)
