"""Texts that come one by one, as from a language model that thinks in between."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sambertd_client import AsyncClient, Client, NoDaemonError, SpeechError
from sambertd_client.feed import Feed

from daemon.config import SpeakerConfig
from tests.daemon.live import LiveDaemon
from tests.daemon.quiet_card import QuietCard
from tests.daemon.tone import CHUNK, FAILS

LIMIT_S = 30
SPOKEN = 3 * 2 * CHUNK  # bytes of "好好。"


class Model:
    """Says one sentence at once, and the next when it is told to."""

    def __init__(self, *rest: str) -> None:
        self.rest = rest
        self.told = threading.Event()
        self.asked = 0

    def __iter__(self) -> Iterator[str]:
        for text in ("好好。", *self.rest):
            self.asked += 1
            yield text
            self.asked += 1
            assert self.told.wait(LIMIT_S), "nobody told it to go on"


def feeds() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "feed"]


def no_feed_is_left() -> bool:
    deadline = time.monotonic() + LIMIT_S
    while feeds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not feeds()


def test_audio_is_handed_out_while_the_next_text_is_waited_for(daemon: LiveDaemon) -> None:
    model, heard = Model("好"), 0
    with Client(daemon.endpoint) as client:
        for pcm in client.stream(model):
            heard += len(pcm)
            if heard == SPOKEN:
                model.told.set()
    assert heard == SPOKEN + 2 * CHUNK
    assert no_feed_is_left()


def test_the_event_loop_goes_on_while_the_next_text_is_waited_for(daemon: LiveDaemon) -> None:
    async def talk() -> None:
        model, heard = Model("好"), 0
        async with AsyncClient(daemon.endpoint) as voice:
            async for pcm in voice.stream(model):
                heard += len(pcm)
                if heard == SPOKEN:
                    assert (await voice.hello()).state == "ready"
                    model.told.set()
            assert heard == SPOKEN + 2 * CHUNK
            blocked = Model("好")
            async for _ in voice.stream(blocked):
                break
            while (await voice.status()).cancelled < 1:
                await asyncio.sleep(0.01)
            blocked.told.set()

    asyncio.run(talk())
    assert no_feed_is_left()


def test_an_error_of_the_texts_cancels_and_is_told(daemon: LiveDaemon) -> None:
    def broken() -> Iterator[str]:
        yield "慢" * 100 + "。"
        raise ValueError("the model has failed")

    with Client(daemon.endpoint) as client:
        speech = client.say("", more=True)
        with pytest.raises(ValueError, match="the model has failed"):
            list(speech.stream(broken()))
        assert speech.done is not None
        assert speech.done.why == "cancelled"
        assert no_feed_is_left()


def test_who_leaves_early_waits_for_no_text(daemon: LiveDaemon) -> None:
    model = Model("好", "好")
    with Client(daemon.endpoint) as client:
        for _ in client.stream(model):
            break
        while client.status().cancelled < 1:
            time.sleep(0.01)
        assert not model.told.is_set()
        asked = model.asked
        model.told.set()
        assert no_feed_is_left()
        assert model.asked <= asked + 1, "nothing is drawn for nobody"


def test_an_utterance_that_has_ended_waits_for_no_text(
    quiet_card: QuietCard, start_daemon: Callable[..., LiveDaemon]
) -> None:
    endpoint = start_daemon(SpeakerConfig()).endpoint
    model = Model()
    with Client(endpoint) as client, Client(endpoint) as other:
        speech = client.say("", more=True, sink="speaker", priority="text")
        streaming = speech.stream(model)
        ending = threading.Thread(target=lambda: other.cancel(scope="all"))
        speech.on_reply = lambda reply: None if ending.ident else ending.start()
        assert list(streaming) == []
        assert speech.done is not None
        assert speech.done.why == "cancelled"
        ending.join()
        model.told.set()


def test_a_voice_that_fails_waits_for_no_text(daemon: LiveDaemon) -> None:
    model = Model()
    with Client(daemon.endpoint) as client:
        speech = client.say(f"{FAILS}。", more=True)
        with pytest.raises(SpeechError) as failed:
            list(speech.stream(model))
    assert failed.value.code == "voice_broken"
    model.told.set()


def test_a_daemon_that_has_gone_is_told_while_text_is_waited_for(
    start_daemon: Callable[..., LiveDaemon],
) -> None:
    daemon, model = start_daemon(), Model()
    with Client(daemon.endpoint, timeout=1) as client:
        stream = client.stream(model)
        assert next(stream)
        daemon.stop()
        with pytest.raises((NoDaemonError, SpeechError)):
            list(stream)
    model.told.set()


def test_it_gives_back_what_it_opened() -> None:
    model = Model()
    before = len(os.listdir("/proc/self/fd"))
    with Feed(model) as feed:
        assert feed.take() == "好好。"
    with Feed([]) as empty:
        assert empty.take() is None
    model.told.set()
    assert no_feed_is_left()
    assert len(os.listdir("/proc/self/fd")) == before


def follow(endpoint: str, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sambertd_client.cli", "say", "--follow", "-", *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*command, "--endpoint", endpoint], stdin=pipe, stdout=pipe, stderr=pipe
    )


def test_the_command_line_writes_audio_while_text_is_to_come(daemon: LiveDaemon) -> None:
    with follow(daemon.endpoint, "--out", "-", "--raw") as saying:
        assert saying.stdin is not None
        assert saying.stdout is not None
        saying.stdin.write("好好。".encode())
        saying.stdin.flush()
        assert len(saying.stdout.read(SPOKEN)) == SPOKEN
        saying.stdin.write("好".encode())
        rest, errors = saying.communicate(timeout=LIMIT_S)
    assert (len(rest), saying.returncode) == (2 * CHUNK, 0), errors


@pytest.mark.parametrize(
    ("text", "code", "out", "err"),
    [
        ("慢好。", 5, "it was cancelled before its end", ""),
        (f"{FAILS}。", 1, "", "this voice breaks here; use another (voice_broken)"),
    ],
)
def test_the_command_line_ends_with_its_utterance_though_text_is_to_come(
    quiet_card: QuietCard,
    start_daemon: Callable[..., LiveDaemon],
    text: str,
    code: int,
    out: str,
    err: str,
) -> None:
    endpoint = start_daemon(SpeakerConfig()).endpoint
    with (
        Client(endpoint) as client,
        client.subscribe("started") as started,
        follow(endpoint) as saying,
    ):
        assert saying.stdin is not None
        assert saying.stdout is not None
        assert saying.stderr is not None
        saying.stdin.write(text.encode())
        saying.stdin.flush()
        if code == 5:
            assert started.next(LIMIT_S) is not None
            assert len(client.cancel(scope="all").ids) == 1
        assert saying.wait(LIMIT_S) == code
        assert out in saying.stdout.read().decode()
        errors = saying.stderr.read().decode()
    assert errors.rstrip().endswith(err) if err else errors == ""


def test_text_that_stops_being_utf8_is_told_and_what_was_begun_is_cancelled(
    daemon: LiveDaemon, tmp_path: Path
) -> None:
    with follow(daemon.endpoint, "--out", str(tmp_path / "a.wav")) as saying:
        _, errors = saying.communicate("慢慢。".encode() * 20 + b"\xff", timeout=LIMIT_S)
    assert saying.returncode == 2
    assert "standard input is not UTF-8 (0xff" in errors.decode()
    with Client(daemon.endpoint) as client:
        assert client.status().cancelled == 1
