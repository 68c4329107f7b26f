"""Events of the daemon, as they happen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from . import protocol as wire
from .closing import Closing
from .happening import Happening

if TYPE_CHECKING:
    from .client import Client


class Subscription(Closing):
    """Iterate for events, forever; or `next` for one, with a limit of time.

    A daemon that was restarted is seen within two seconds and goes on telling, with `seq` from 0
    again. Before that comes an event with the `seq` -1, kind "state" and text "restarted" (or
    "connected again", where the same one took us for another), unless other kinds are asked for.
    Raises NoDaemonError where there is none for the client's timeout.
    """

    def __init__(self, client: Client, kinds: Sequence[wire.EventKind]) -> None:
        self._client = client
        self._happening = Happening(client._line, kinds)
        client._run(self._happening.begin())

    def next(self, timeout_s: float) -> wire.Event | None:
        """The next event; None: there was none in time."""
        return self._client._run(self._happening.next(timeout_s))

    def __iter__(self) -> Iterator[wire.Event]:
        while True:
            yield self._client._run(self._happening.follow())

    def close(self) -> None:
        self._happening.end()
