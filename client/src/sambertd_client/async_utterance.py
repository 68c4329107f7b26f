"""Speech on its way from the daemon, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar, Union

from . import protocol as wire
from .account import Account
from .async_closing import AsyncLeaving
from .errors import NoDaemonError
from .feed import Feed
from .speech import Speech, pieces
from .steps import Steps

if TYPE_CHECKING:
    from .async_client import AsyncClient

T = TypeVar("T")
Texts = Union[Iterable[str], AsyncIterable[str]]


class AsyncUtterance(Account, AsyncLeaving):
    """As `Utterance`: `async for` yields its PCM, `wait` and `read` are awaited.

    A task that is cancelled in one of these has the utterance cancelled by the daemon, and so has
    leaving the `async with` block early.
    """

    def __init__(self, client: AsyncClient, speech: Speech) -> None:
        super().__init__(speech)
        self._client = client

    async def append(self, text: str) -> wire.Appended:
        """More text. Raises RefusedError, where too much of it waits to be spoken."""
        return await self._client.append(self.id, text)

    async def end(self) -> None:
        """The text is complete."""
        await self._client.end(self.id)

    async def stream(self, texts: Texts) -> AsyncIterator[bytes]:
        """Append each text as it comes, then end; the PCM meanwhile and after, as by iterating.

        An Iterable may block: it is iterated by a thread of its own. Where text comes faster than
        it is spoken it waits; an error of `texts` cancels.
        """
        troubles: list[Exception] = []
        feeding = asyncio.ensure_future(self._feed(texts, troubles))
        try:
            async for pcm in self:
                yield pcm
        finally:
            feeding.cancel()
            await asyncio.wait({feeding})
        if troubles:
            raise troubles[0]

    async def _feed(self, texts: Texts, troubles: list[Exception]) -> None:
        try:
            async for text in _each(texts):
                for piece in pieces(text):
                    while not await self._client._run(self._speech.offer(piece)):
                        pass
                if self._speech.closed or self.done is not None:
                    return
            await self._client._run(self._speech.finish())
        except Exception as trouble:  # noqa: BLE001 - `texts` is the caller's
            troubles.append(trouble)
            with suppress(NoDaemonError):
                await self.cancel()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.done is None:
            pcm = await self._run(self._speech.take())
            if pcm:
                yield pcm

    async def read(self) -> bytes:
        """All of the PCM that is still to come."""
        return await self._run(self._speech.read())

    async def wait(self) -> wire.Done:
        """Wait for the end, dropping audio that comes here; the daemon's account of it."""
        return await self._run(self._speech.wait())

    async def pause(self) -> None:
        """Hold it: no more audio comes, and the speaker fades out, until `resume`."""
        await self._client.pause(self.id)

    async def resume(self) -> None:
        """Go on where it was held; the speaker with the word that was cut."""
        await self._client.resume(self.id)

    async def cancel(self) -> None:
        """End it now: audio on its way is thrown away. No effect once it has ended."""
        await self._run(self._speech.cancel())

    async def _run(self, steps: Steps[T]) -> T:
        try:
            return await self._client._run(steps)
        except asyncio.CancelledError:
            self._speech.drop()
            raise

    async def _leave(self, error: BaseException | None) -> None:
        try:
            if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
                self._speech.drop()
            elif not (self._client.closed or isinstance(error, NoDaemonError)):
                await self.cancel()
        finally:
            self._speech.forget()


async def _each(texts: Texts) -> AsyncIterator[str]:
    if isinstance(texts, AsyncIterable):
        async for text in texts:
            yield text
        return
    with Feed(texts) as feed:
        while (drawn := await _drawn(feed)) is not None:
            yield drawn


async def _drawn(feed: Feed) -> str | None:
    loop = asyncio.get_running_loop()
    rung = asyncio.Event()
    loop.add_reader(feed.fileno(), rung.set)
    try:
        await rung.wait()
    finally:
        loop.remove_reader(feed.fileno())
    return feed.take()
