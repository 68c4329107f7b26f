"""Talking to the daemon from asyncio: what `client.py` does, with the same logic under it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

import zmq
import zmq.asyncio

from . import protocol as wire
from .ahead import Told, prefetch
from .async_closing import AsyncClosing
from .async_subscription import AsyncSubscription
from .async_utterance import AsyncUtterance
from .connection import Connection
from .endpoint import is_listening
from .errors import ReplyError
from .happening import Happening
from .keyfile import AnyPath
from .line import LOADING, RELOADING
from .speech import Speech
from .steps import Look, Step, Steps
from .wishes import Manner, Wishes

if TYPE_CHECKING:
    from .wishes import Unpack

R = TypeVar("R", bound=wire.Message)
T = TypeVar("T")


class AsyncClient(Connection[zmq.asyncio.Socket], AsyncClosing):
    """A connection to one daemon, for all tasks of one event loop; `async with` closes it.

    Its methods are those of `Client`, to be awaited. A task that is cancelled while it waits for
    its utterance has it cancelled by the daemon. Utterances of several tasks run side by side.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        timeout: float = 5.0,
        server_key: str | None = None,
        key_file: AnyPath | None = None,
        wait_s: float = 0.0,
    ) -> None:
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        super().__init__(zmq.asyncio.Context(), endpoint, timeout, server_key, key_file, wait_s)

    async def hello(self) -> wire.Welcome:
        """The daemon's protocol range, state and limits."""
        return await self._ask(wire.Hello(id=self._new_id()), wire.Welcome)

    async def voices(self) -> wire.VoiceList:
        """The voices there are, and packs that could not be loaded."""
        return await self._ask(wire.Voices(id=self._new_id()), wire.VoiceList)

    async def status(self) -> wire.StatusReport:
        """What the daemon is doing and how well."""
        return await self._ask(wire.Status(id=self._new_id()), wire.StatusReport)

    async def stats(self) -> wire.StatsReport:
        """What was asked and how it went, in figures."""
        return await self._ask(wire.Stats(id=self._new_id()), wire.StatsReport)

    async def engines(self) -> wire.EngineReport:
        """What runs each graph of each voice, and what is being built."""
        return await self._ask(wire.Engines(id=self._new_id()), wire.EngineReport)

    async def load(self, name: str) -> wire.Loaded:
        """Load the pack in this folder of the daemon's voices, or load it again; when it speaks.

        However long that takes. What is being said goes on.
        """
        load = wire.Load(id=self._new_id(), name=name)
        return await self._run(self._line.ask_long(load, wire.Loaded, LOADING))

    async def reload(self) -> wire.Reloaded:
        """Have the settings and the folder of voices read again; once all of it counts.

        Raises RefusedError, with the code bad_config, where the settings are wrong.
        """
        reload = wire.Reload(id=self._new_id())
        return await self._run(self._line.ask_long(reload, wire.Reloaded, RELOADING))

    async def unload(self, name: str) -> wire.Unloaded:
        """Take a voice out of the daemon's memory; what has begun ends on it."""
        return await self._ask(wire.Unload(id=self._new_id(), name=name), wire.Unloaded)

    async def subscribe(self, *kinds: wire.EventKind) -> AsyncSubscription:
        """What happens from now on, of these kinds or of all. One per client: a newer ends it."""
        happening = Happening(self._line, kinds)
        await self._run(happening.begin())
        return AsyncSubscription(self, happening)

    async def events(self, *kinds: wire.EventKind) -> AsyncIterator[wire.Event]:
        """The same as an iterator, from its first `anext` until it is closed."""
        async with await self.subscribe(*kinds) as happening:
            async for event in happening:
                yield event

    async def cancel(
        self,
        target: str | None = None,
        *,
        scope: wire.Scope = "mine",
        priority: wire.Priority | None = None,
    ) -> wire.Cancelled:
        """End one utterance or all, or all of a priority, of this client or of every one."""
        cancel = wire.Cancel(id=self._new_id(), target=target, scope=scope, priority=priority)
        return await self._ask(cancel, wire.Cancelled)

    async def pause(self, target: str | None = None, *, scope: wire.Scope = "mine") -> wire.Paused:
        """Hold one utterance or all, of this client or of every one, until `resume`."""
        pause = wire.Pause(id=self._new_id(), target=target, scope=scope)
        return await self._ask(pause, wire.Paused)

    async def resume(
        self, target: str | None = None, *, scope: wire.Scope = "mine"
    ) -> wire.Resumed:
        """Let go on what was held."""
        resume = wire.Resume(id=self._new_id(), target=target, scope=scope)
        return await self._ask(resume, wire.Resumed)

    async def append(self, target: str, text: str) -> wire.Appended:
        """More text for an utterance that was said with more=True."""
        append = wire.Append(id=self._new_id(), target=target, text=text)
        return await self._ask(append, wire.Appended)

    async def end(self, target: str) -> wire.Appended:
        """The text of an utterance is complete."""
        return await self._ask(wire.End(id=self._new_id(), target=target), wire.Appended)

    async def say(
        self, text: str, *, retry_s: float = 0.0, **wishes: Unpack[Wishes]
    ) -> AsyncUtterance:
        """Ask for speech; returns as soon as the daemon has accepted it. As `Client.say`."""
        speech = Speech(self._line, text, wishes, retry_s)
        await self._run(speech.begin())
        return AsyncUtterance(self, speech)

    async def prefetch(
        self, texts: Sequence[str], told: Told | None = None, **manner: Unpack[Manner]
    ) -> wire.Prefetched:
        """Have texts made ready, to be said at once later; when all are, or cannot be.

        As many as you like. The daemon makes them when nobody speaks, as `say` would with the same
        manner. told: called with how far it is. `failures` tells the texts that cannot be said, by
        their index. Where this is left early, what is left is not made.
        """
        return await self._run(prefetch(self._line, texts, manner, told))

    async def stream(
        self,
        text: str | Iterable[str] | AsyncIterable[str],
        *,
        retry_s: float = 0.0,
        **wishes: Unpack[Wishes],
    ) -> AsyncIterator[bytes]:
        """The PCM of a text, or of texts as they come; leaving early cancels it."""
        whole = isinstance(text, str)
        if not whole:
            wishes["more"] = True
        begun = await self.say(cast(str, text) if whole else "", retry_s=retry_s, **wishes)
        async with begun as speech:
            async for pcm in speech if isinstance(text, str) else speech.stream(text):
                yield pcm

    async def close(self) -> None:
        """Let go of the connection; tasks that wait for something get NoDaemonError at once."""
        self._line.close()
        for news in self._all_news():
            news.set_result(None)  # whoever waits finds the line closed
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait({self._reader})
        self._hang_up()
        await asyncio.get_running_loop().run_in_executor(None, self._context.term)

    async def _ask(self, request: wire.Message, answer: type[R]) -> R:
        return await self._run(self._line.ask(request, answer))

    async def _run(self, steps: Steps[T]) -> T:
        """Do what the logic asks for, until it has its result."""
        try:
            step = next(steps)
            while True:
                step = steps.send(await self._do(step))
        except StopIteration as end:
            return cast(T, end.value)
        finally:
            steps.close()

    async def _do(self, step: Step) -> bool:
        self._line.check()
        if self._reader is None:
            self._reader = asyncio.ensure_future(self._read())
        if isinstance(step, Look):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, is_listening, self.endpoint)
        if self._line.inboxes.get(step.id):
            return True
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(step.id, set())
        waiting.add(news)
        try:
            done, _ = await asyncio.wait({news}, timeout=max(0.0, step.until - time.monotonic()))
            return any(one.result() is None for one in done)  # raises what reading has raised
        finally:
            waiting.discard(news)
            if not waiting:
                self._waiting.pop(step.id, None)

    async def _read(self) -> None:
        """Sort in what comes, and wake who waits for it."""
        while True:
            frames = await self._socket.recv_multipart()
            try:
                woken = self._waiting.get(self._line.feed(frames), ())
            except ReplyError as error:
                for news in self._all_news():
                    news.set_exception(error)
                continue
            for news in woken:
                if not news.done():
                    news.set_result(None)
            await asyncio.sleep(0)  # others have their turn in a flood

    def _all_news(self) -> list[asyncio.Future[None]]:
        return [one for waiting in self._waiting.values() for one in waiting if not one.done()]

    def _put(self, frame: bytes) -> bool:
        self._socket.send(frame)  # in order, and as soon as there is room
        return True
