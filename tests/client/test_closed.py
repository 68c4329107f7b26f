"""A client that was closed says so, whatever it is asked for, and ends who waits at once."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from sambertd_client import (
    AsyncClient,
    AsyncSubscription,
    AsyncUtterance,
    Client,
    NoDaemonError,
    Subscription,
    Utterance,
)

from tests.client.test_async_client import public
from tests.daemon.live import LiveDaemon

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "append": ("id", "好"),
    "end": ("id",),
    "load": ("tone",),
    "unload": ("tone",),
    "prefetch": (["好"],),
    "say": ("好",),
    "stream": ("好",),
}
OF_AN_UTTERANCE: dict[str, tuple[Any, ...]] = {"append": ("好",), "stream": (["好"],)}
OF_EVENTS: dict[str, tuple[Any, ...]] = {"next": (1.0,)}


def calls(kind: type, arguments: dict[str, tuple[Any, ...]]) -> Iterator[tuple[str, Any]]:
    """All public methods of a class but `close`, iterating included, and what they take."""
    for name in (*public(kind), "__iter__", "__aiter__"):
        if inspect.isfunction(getattr(kind, name, None)) and name != "close":
            yield name, arguments.get(name, ())


def check_closed(it: object, name: str, given: tuple[Any, ...]) -> None:
    def begin() -> None:
        result = getattr(it, name)(*given)
        if isinstance(result, Iterator):
            next(result)

    with pytest.raises(NoDaemonError, match="this client was closed") as closed:
        begin()
    assert closed.value.code == "closed", name


def test_all_of_a_closed_client_says_so(daemon: LiveDaemon) -> None:
    client = Client(daemon.endpoint)
    speech = client.say("慢" * 100)
    happening = client.subscribe()
    assert not client.closed
    client.close()
    assert client.closed
    client.close()
    for kind, it, arguments in (
        (Client, client, ARGUMENTS),
        (Utterance, speech, OF_AN_UTTERANCE),
        (Subscription, happening, OF_EVENTS),
    ):
        assert len(list(calls(kind, arguments))) >= 2
        for name, given in calls(kind, arguments):
            check_closed(it, name, given)
    happening.close()
    with suppress(KeyError), speech:
        raise KeyError("the block is left as it was, nobody hears of the connection")


def test_all_of_a_closed_client_for_asyncio_says_so(daemon: LiveDaemon) -> None:
    async def check(it: object, name: str, given: tuple[Any, ...]) -> None:
        async def begin() -> None:
            result = getattr(it, name)(*given)
            await (anext(result) if isinstance(result, AsyncIterator) else result)

        with pytest.raises(NoDaemonError, match="this client was closed") as closed:
            await begin()
        assert closed.value.code == "closed", name

    async def talk() -> None:
        voice = AsyncClient(daemon.endpoint)
        speech = await voice.say("慢" * 100)
        happening = await voice.subscribe()
        unused = AsyncClient(daemon.endpoint)
        for client in (voice, unused, voice):
            await client.close()
            assert client.closed
        await check(unused, "hello", ())
        for kind, it, arguments in (
            (AsyncClient, voice, ARGUMENTS),
            (AsyncUtterance, speech, OF_AN_UTTERANCE),
            (AsyncSubscription, happening, OF_EVENTS),
        ):
            for name, given in calls(kind, arguments):
                await check(it, name, given)
        await happening.close()
        async with speech:
            pass

    asyncio.run(talk())


def test_tasks_that_wait_end_at_once(daemon: LiveDaemon) -> None:
    async def talk() -> None:
        voice = AsyncClient(daemon.endpoint, timeout=60)
        speech = await voice.say("慢" * 400, sink="none")
        happening = await voice.subscribe("reload")
        again = await voice.say("慢" * 400, retry_s=60)

        async def never() -> AsyncIterator[str]:
            yield "好好。"
            await asyncio.sleep(60)

        async def stream() -> None:
            async for _ in voice.stream(never()):
                pass

        tasks: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(one)
            for one in (speech.wait(), again.read(), happening.next(60), stream())
        ]
        await asyncio.sleep(0)
        while (await voice.status()).in_work < 2:
            await asyncio.sleep(0.01)
        began = time.monotonic()
        await voice.close()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert time.monotonic() - began < 20, "a third of what they had waited otherwise"
        for end in ends:
            assert isinstance(end, NoDaemonError), end
            assert end.code == "closed"

    asyncio.run(talk())


def test_an_utterance_that_has_ended_stays_as_it_was(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        speech = client.say("好")
        done = speech.wait()
    assert speech.wait() is done
    assert list(speech) == []
    speech.cancel()


FORGOTTEN = """
import asyncio, gc, sys
from sambertd_client import AsyncClient, Client

endpoint, keep = sys.argv[1], []

async def asks():
    client = AsyncClient(endpoint)
    print((await client.status()).state)

print(Client(endpoint).status().state)
asyncio.run(asks())
gc.collect()
print("collected")
keep.append(Client(endpoint))  # until the interpreter ends
keep[0].status()
"""


def test_one_that_nobody_closes_is_collected(daemon: LiveDaemon) -> None:
    """libzmq ends a context only when its sockets are closed, and would wait for ever."""
    command = [sys.executable, "-c", FORGOTTEN, daemon.endpoint]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ready\nready\ncollected\n", "")
