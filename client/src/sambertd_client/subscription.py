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

    Where the daemon is silent for the client's timeout it is asked again, so a daemon that was
    restarted goes on telling, with `seq` from 0. Raises NoDaemonError where there is none.
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
