"""The lips of examples/robot.py move with the sound, whatever befalls it, on a real PulseAudio."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from sambertd_client import AsyncClient, AsyncUtterance, Client
from sambertd_client import protocol as wire

from examples.robot import Lips
from tests.daemon.live import folder
from tests.daemon.sink import Sink, sink_of
from tests.daemon.tone import CHUNK, RATE

__all__ = ["folder"]

CHARACTERS = 60  # 3 s, a mouth that opens and closes in each
HALVES = [n * CHUNK // 2 for n in range(2 * CHARACTERS)]
LIMIT_S = 60.0
SOON_S = 0.4  # within which it is known that a card stands still, on a busy machine too


@pytest.fixture
def sink(folder: Path) -> Iterator[Sink]:
    yield from sink_of(folder)


class Daemon:
    """With the humming voice, as a process that can be killed."""

    def __init__(self, sink: Sink, folder: Path) -> None:
        self.endpoint, self._sink = f"ipc://{folder}/d.sock", sink
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.daemon.tone_daemon", "--endpoint", self.endpoint]
        self.process = subprocess.Popen(command, env=self._sink.env, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def daemon(sink: Sink, folder: Path) -> Iterator[Daemon]:
    daemon = Daemon(sink, folder)
    yield daemon
    daemon.kill()


class Seen(Lips):
    """What was shown, in the order of that, between `playing` and `held`."""

    def __init__(self, speech: AsyncUtterance, latency_s: float) -> None:
        super().__init__(speech, latency_s)
        self.told: list[wire.Playing | wire.Held] = []
        self.shown: list[tuple[int, float]] = []  # sample, when

    def hear(self, reply: wire.Reply) -> None:
        super().hear(reply)
        if isinstance(reply, (wire.Playing, wire.Held)):
            self.told.append(reply)

    def show(self, mark: wire.Mark) -> None:
        self.shown.append((mark.at, time.monotonic()))

    @property
    def samples(self) -> list[int]:
        return [at for at, _ in self.shown]

    async def see(self, enough: Callable[[], bool]) -> None:
        until = time.monotonic() + LIMIT_S
        while not enough():
            assert time.monotonic() < until, "it did not happen in time"
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def speaking(endpoint: str) -> AsyncIterator[Seen]:
    """Lips that move; after the block the sentence has been heard to its end."""
    async with AsyncClient(endpoint, timeout=20, wait_s=20) as voice:
        while (await voice.status()).state != "ready":
            await asyncio.sleep(0.05)
        speech = await voice.say(
            "好" * CHARACTERS, sink="speaker", marks=["viseme"], retry_s=LIMIT_S
        )
        latency_s = (await voice.status()).speaker.latency_ms / 1000
        lips = Seen(speech, latency_s)
        ending = asyncio.ensure_future(speech.wait())
        await lips.see(lambda: len(lips.shown) > 20)
        yield lips
        assert (await ending).heard_samples == CHARACTERS * CHUNK
        last = HALVES[-1]
        await lips.see(lambda: lips.samples[-1:] == [last])


def test_they_stand_still_while_another_client_holds_it(daemon: Daemon) -> None:
    async def check() -> None:
        async with speaking(daemon.endpoint) as lips:
            with Client(daemon.endpoint) as other:
                other.pause(scope="all")
                await lips.see(lambda: isinstance(lips.told[-1], wire.Held))
                await asyncio.sleep(lips.latency_s + 0.1)  # what was on its way to the ear
                still = len(lips.shown)
                await asyncio.sleep(0.5)
                assert len(lips.shown) == still
                other.resume(scope="all")
        _, held, again = (one.at for one in lips.told)
        assert again <= held
        first, rest = lips.samples[:still], lips.samples[still:]
        assert first == [at for at in HALVES if at < held]
        assert rest == [at for at in HALVES if at >= again]

    asyncio.run(check())


def test_they_stand_still_while_the_sound_server_does(daemon: Daemon, sink: Sink) -> None:
    async def check() -> None:
        async with speaking(daemon.endpoint) as lips:
            sink.freeze()
            try:
                await lips.see(lambda: isinstance(lips.told[-1], wire.Held))
                still = len(lips.shown)
                await asyncio.sleep(2.0)
                moved = len(lips.shown)
            finally:
                sink.freeze(thaw=True)
        assert moved - still <= (lips.latency_s + 0.1) * 2 * RATE / CHUNK
        for held, playing in zip(lips.told[1::2], lips.told[2::2], strict=True):
            assert (type(held), type(playing)) == (wire.Held, wire.Playing)
            assert isinstance(held, wire.Held)
            assert held.why == "speaker_lost"
            assert held.at <= playing.at <= held.at + CHUNK
        assert set(lips.samples) == set(HALVES), "none is missed"
        for early in (at for at in HALVES if lips.samples.count(at) > 1):
            unknown = any(one.at <= early < one.at + SOON_S * RATE for one in lips.told[1::2])
            assert unknown, "once, but for what fell due before anybody could know"

    asyncio.run(check())


def test_they_stand_still_when_the_daemon_is_killed_and_begin_anew(daemon: Daemon) -> None:
    async def check() -> None:
        async with speaking(daemon.endpoint) as lips:
            await asyncio.get_running_loop().run_in_executor(None, daemon.kill)
            await lips.see(lambda: isinstance(lips.told[-1], wire.Held))
            still = len(lips.shown)
            await asyncio.sleep(0.3)
            assert len(lips.shown) == still < len(HALVES)
            daemon.start()
        held = lips.told[1]
        assert isinstance(held, wire.Held)
        assert (held.why, held.at) == ("said_again", 0)
        assert lips.samples[:still] == HALVES[:still]
        assert lips.samples[still:] == HALVES

    asyncio.run(check())
