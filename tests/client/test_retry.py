"""Said again with the same key, by both clients: the daemon was killed, or the line lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sambertd_client import AsyncClient, Client, NoDaemonError, RefusedError, SpeechError
from sambertd_client import protocol as wire
from sambertd_client.endpoint import is_listening

from daemon.config import SpeakerConfig
from tests.daemon.live import LiveDaemon
from tests.daemon.quiet_card import QuietCard
from tests.daemon.tone import CHUNK

RETRY_S = 30.0
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def endpoint(folder: Path) -> str:
    return f"ipc://{folder}/d.sock"


@pytest.fixture
def start(endpoint: str) -> Iterator[Start]:
    """Starts a daemon as a process of its own, and waits until it listens."""
    running: list[subprocess.Popen[bytes]] = []

    def start(**env: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.daemon.tone_daemon", "--endpoint", endpoint]
        process = subprocess.Popen(
            [*command, "--no-speaker"], env={**os.environ, **env}, stderr=subprocess.DEVNULL
        )
        running.append(process)
        while not is_listening(endpoint):
            assert process.poll() is None
            time.sleep(0.02)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()


def ready(endpoint: str) -> None:
    with Client(endpoint, timeout=15) as client:
        while client.status().state != "ready":
            time.sleep(0.02)


def killed_meanwhile(start: Start, process: subprocess.Popen[bytes]) -> threading.Thread:
    """SIGKILL in a moment, and a new daemon a moment later, which takes a while to load."""

    def act() -> None:
        time.sleep(0.5)
        process.kill()
        process.wait()
        time.sleep(0.5)
        start(TONE_LOAD_S="0.5")

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_what_is_said_outlives_a_killed_daemon(start: Start, endpoint: str) -> None:
    process = start()
    ready(endpoint)
    with Client(endpoint, timeout=2) as client:
        speech = client.say("慢" * 30, sink="none", retry_s=RETRY_S)
        first = speech.id, speech.instance
        killing = killed_meanwhile(start, process)
        done = speech.wait()
        killing.join()
        assert (done.why, done.samples, done.id) == ("end", 30 * CHUNK, speech.id)
        assert (speech.id, speech.instance) != first
        assert client.stats().ends == {"end": 1}, "once by the daemon that is there"
        assert client._line.inboxes == {}


def test_pcm_nobody_has_seen_is_made_anew(start: Start, endpoint: str) -> None:
    process = start()
    ready(endpoint)
    with Client(endpoint, timeout=2) as client:
        speech = client.say("慢" * 30, retry_s=RETRY_S)
        killing = killed_meanwhile(start, process)
        pcm = speech.read()
        killing.join()
    assert len(pcm) == 30 * 2 * CHUNK, "all of it, and no piece of it twice"


def test_a_stream_somebody_hears_ends_with_a_code(start: Start, endpoint: str) -> None:
    process = start()
    ready(endpoint)
    with Client(endpoint, timeout=2) as client:
        stream = client.stream("慢" * 100, retry_s=RETRY_S)
        assert len([next(stream) for _ in range(3)]) == 3
        process.kill()
        process.wait()
        with pytest.raises(NoDaemonError) as lost:
            list(stream)
        assert lost.value.code == "gone"
        start()
        assert len(b"".join(client.stream("好" * 5, retry_s=RETRY_S))) == 5 * 2 * CHUNK


def test_asyncio_says_all_that_was_lost_again(start: Start, endpoint: str) -> None:
    process = start()
    ready(endpoint)

    async def talk() -> None:
        async with AsyncClient(endpoint, timeout=2) as voice:
            first, second = [
                await voice.say("慢" * number, sink="none", retry_s=RETRY_S) for number in (20, 25)
            ]
            third = await voice.say("慢" * 15, retry_s=RETRY_S)
            killing = killed_meanwhile(start, process)
            one, two, pcm = await asyncio.gather(first.wait(), second.wait(), third.read())
            await asyncio.get_running_loop().run_in_executor(None, killing.join)
            assert [one.samples, two.samples, len(pcm)] == [20 * CHUNK, 25 * CHUNK, 30 * CHUNK]
            assert (await voice.stats()).ends == {"end": 3}

    asyncio.run(talk())


def test_a_daemon_that_is_still_to_come_is_waited_for(start: Start, endpoint: str) -> None:
    coming = threading.Timer(1.0, start, kwargs={"TONE_LOAD_S": "0.5"})
    coming.start()
    with Client(endpoint, timeout=0.3) as client:
        assert client.say("好" * 3, sink="none", retry_s=RETRY_S).wait().samples == 3 * CHUNK
        assert client.stats().ends == {"end": 1}
    coming.join()


@pytest.mark.parametrize(("timeout", "retry_s"), [(5.0, 1.0), (5.0, 2.0), (0.5, 1.5)])
def test_it_is_waited_for_so_long_and_not_for_the_timeout_too(
    endpoint: str, timeout: float, retry_s: float
) -> None:
    with Client(endpoint, timeout=timeout) as client:
        began = time.monotonic()
        with pytest.raises(NoDaemonError, match="no daemon listens on"):
            client.say("好", sink="none", retry_s=retry_s)
        assert retry_s <= time.monotonic() - began < retry_s + 2


def test_a_daemon_that_hangs_is_given_up_in_time(start: Start, endpoint: str) -> None:
    process = start()
    ready(endpoint)
    with Client(endpoint, timeout=2) as client:
        client.status()
        process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(NoDaemonError, match="within"):
            client.say("好", sink="none", retry_s=2)
        assert 2 <= time.monotonic() - began < 3.9, "and not the timeout, and then retry_s"
        process.send_signal(signal.SIGCONT)


def test_it_gives_up_in_the_end_and_nothing_is_said_later(start: Start, endpoint: str) -> None:
    with Client(endpoint, timeout=0.2) as client:
        began = time.monotonic()
        with pytest.raises(NoDaemonError) as lost:
            client.say("好", sink="none", retry_s=1.0)
        assert 1.0 < time.monotonic() - began < 4.0
        assert lost.value.code == "no_answer"
        with pytest.raises(NoDaemonError):
            client.say("好", sink="none")
        start()
        client.timeout = 10
        while client.status().state != "ready":
            time.sleep(0.02)
        stats = client.stats()
        assert stats.ends.get("end", 0) == 0, "nobody is surprised by what was given up"


@pytest.mark.parametrize("sink", ["none", "speaker"])
def test_a_lost_connection_is_said_once(
    quiet_card: QuietCard, start_daemon: Callable[..., LiveDaemon], sink: wire.Sink
) -> None:
    """As after the network was away for longer than TCP bears."""
    live = start_daemon(SpeakerConfig())
    with Client(live.endpoint, timeout=2) as client:
        speech = client.say("慢" * 60, sink=sink, retry_s=RETRY_S)
        client._socket.disconnect(client.endpoint)
        client._socket.connect(client.endpoint)
        assert speech.wait().samples == 60 * CHUNK
        status = client.status()
    assert (status.done, status.superseded, status.cancelled) == (1, 0, 0)
    assert len(live.voice.plans) == 1, "the daemon has made it once"
    heard = np.count_nonzero(np.frombuffer(bytes(quiet_card.heard), "<i2"))
    assert heard <= (60 * CHUNK if sink == "speaker" else 0)


def test_a_daemon_that_is_told_to_stop(start: Start, endpoint: str) -> None:
    process = start()
    ready(endpoint)
    with Client(endpoint, timeout=2) as client:
        plain = client.say("慢" * 60, sink="none")
        kept = client.say("慢" * 20, sink="none", retry_s=RETRY_S)
        process.terminate()
        process.wait()
        start()
        with pytest.raises(SpeechError) as ended:
            plain.wait()
        assert ended.value.code == "shutting_down"
        assert kept.wait().samples == 20 * CHUNK


def test_a_busy_daemon_is_asked_again(start_daemon: Callable[..., LiveDaemon]) -> None:
    live = start_daemon(in_work=1, waiting=0)
    with Client(live.endpoint) as client, Client(live.endpoint) as other:
        other.say("慢" * 20, sink="none")
        for retry_s in (0.0, 0.1):
            with pytest.raises(RefusedError) as refused:
                client.say("好", sink="none", retry_s=retry_s)
            assert refused.value.code == "busy"
        assert client.say("好", sink="none", retry_s=RETRY_S).wait().why == "end"


def test_what_cannot_be_said_again(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        for said in (
            lambda: client.say("", more=True, retry_s=1.0),
            lambda: next(client.stream(iter(["好", "吗"]), retry_s=30)),
        ):
            with pytest.raises(RefusedError, match="retry_s is for a whole text") as whole:
                said()
            assert (whole.value.code, "more" in str(whole.value)) == ("bad_field", False)
        for never in (-1.0, float("nan"), float("inf")):
            with pytest.raises(RefusedError, match="give seconds, 0 or more"):
                client.say("好", retry_s=never)
        began = time.monotonic()
        with pytest.raises(RefusedError):
            client.say("好", voice="nobody", retry_s=RETRY_S)
        assert time.monotonic() - began < 2, "a fault of the request is no fault of the daemon"
        assert client.status().requests == client.status().refused
