"""Events of the daemon, as they happen, for asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from . import protocol as wire
from .async_closing import AsyncClosing
from .happening import Happening

if TYPE_CHECKING:
    from .async_client import AsyncClient


class AsyncSubscription(AsyncClosing):
    """As `Subscription`: `async for` yields events, forever; `next` one, with a limit of time."""

    def __init__(self, client: AsyncClient, happening: Happening) -> None:
        self._client = client
        self._happening = happening

    async def next(self, timeout_s: float) -> wire.Event | None:
        """The next event; None: there was none in time."""
        return await self._client._run(self._happening.next(timeout_s))

    async def __aiter__(self) -> AsyncIterator[wire.Event]:
        while True:
            yield await self._client._run(self._happening.follow())

    async def close(self) -> None:
        self._happening.end()
