"""systemd's watchdog is fed only while the loop, the engine and the speaker all are alive."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sambertd_client import Client, SpeechError, cli

import daemon.server
from daemon.config import SpeakerConfig
from tests.daemon.live import LiveDaemon
from tests.daemon.test_lost_card import Card, wait_until

STALL_S = 0.4


@pytest.fixture(autouse=True)
def supervisor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What systemd reads; the daemon is to ping every 33 ms."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.setattr(daemon.server, "STALL_S", STALL_S)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind(str(folder / "notify"))
        link.settimeout(0.01)
        yield link


def pings(supervisor: socket.socket, for_s: float) -> int:
    until, count = time.monotonic() + for_s, 0
    while time.monotonic() < until:
        try:
            count += supervisor.recv(1000) == b"WATCHDOG=1"
        except TimeoutError:
            continue
    return count


def test_an_engine_that_hangs_gets_no_ping(
    supervisor: socket.socket,
    start_daemon: Callable[..., LiveDaemon],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    live, go_on = start_daemon(), threading.Event()
    chunk = live.voice._chunk
    monkeypatch.setattr(live.voice, "_chunk", lambda *a: (go_on.wait(30), chunk(*a))[1])
    assert pings(supervisor, 0.5) >= 3
    with Client(live.endpoint) as client:
        speech = client.say("好")
        pings(supervisor, STALL_S + 0.3)
        assert pings(supervisor, 0.5) == 0
        status = client.status()
        assert status.in_work == 1, "the loop itself is well"
        assert status.stalled == "the engine"
        assert caplog.text.count("the engine gave no sign of life for 0.4 s") == 1
        assert "worker.py" in capfd.readouterr().err, "the stacks of all threads"
        assert cli.main(["status", "--endpoint", live.endpoint]) == 1
        assert "STALLED: the engine gives no sign of life" in capfd.readouterr().out
        go_on.set()
        assert speech.read()
        assert pings(supervisor, 0.5) >= 3
        assert not client.status().stalled
        assert cli.main(["status", "--endpoint", live.endpoint]) == 0


def test_a_sound_system_that_hangs_gets_no_ping(
    supervisor: socket.socket,
    start_daemon: Callable[..., LiveDaemon],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The card is lost, and PortAudio never returns from looking for another."""
    card, go_on = Card(16000), threading.Event()
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    live = start_daemon(SpeakerConfig())
    assert live.server._speaker.state.available
    pings(supervisor, STALL_S + 0.3)
    assert pings(supervisor, 0.5) >= 3
    initialize = card._initialize
    monkeypatch.setattr(card, "_initialize", lambda: (go_on.wait(30), initialize())[1])
    card.present = False
    wait_until(lambda: not live.server._speaker.state.available)
    pings(supervisor, STALL_S + 0.3)
    assert pings(supervisor, 0.5) == 0
    assert "the speaker gave no sign of life for 0.4 s" in caplog.text
    with Client(live.endpoint) as client:
        assert client.status().stalled == "the speaker"
    card.present = True
    go_on.set()
    wait_until(lambda: live.server._speaker.state.available)
    assert pings(supervisor, 0.5) >= 3


def test_a_speaker_that_is_off_is_no_hang(
    supervisor: socket.socket, start_daemon: Callable[..., LiveDaemon]
) -> None:
    start_daemon()
    pings(supervisor, STALL_S + 0.3)
    assert pings(supervisor, 0.5) >= 3


def test_a_card_that_opens_and_takes_no_samples_gets_no_ping(
    supervisor: socket.socket,
    start_daemon: Callable[..., LiveDaemon],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is closed and opened again, in vain: that must not pass for a sign of life."""
    card = Card(16000)
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    live = start_daemon(SpeakerConfig())
    pings(supervisor, STALL_S + 0.3)
    assert pings(supervisor, 0.5) >= 3
    with Client(live.endpoint) as client:
        speech = client.say("好" * 40, sink="speaker")
        wait_until(lambda: any(card.heard))
        card.frozen = True
        wait_until(lambda: client.status().stalled == "the speaker")
        opened = card.opened
        wait_until(lambda: card.opened > opened + 1)
        pings(supervisor, 0.1)
        assert pings(supervisor, 0.5) == 0
        assert client.status().stalled == "the speaker", "however often it is opened"
        assert client.say("好").read(), "to clients it speaks"
        with pytest.raises(SpeechError, match="takes no samples") as caught:
            speech.wait()
        assert caught.value.code == "speaker_unavailable"
        card.frozen = False
        wait_until(lambda: not client.status().stalled, 20)
        assert pings(supervisor, 0.5) >= 3
        wait_until(lambda: client.status().speaker.reopened == 1)
        assert client.say("好", sink="speaker").wait().why == "end"
    assert "the speaker gave no sign of life for 0.4 s" in caplog.text


def test_another_card_takes_the_place_of_one_that_takes_no_samples(
    start_daemon: Callable[..., LiveDaemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(16000)
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    live = start_daemon(SpeakerConfig(fallback=("null",)))
    with Client(live.endpoint) as client:
        speech = client.say("好" * 80, sink="speaker")
        wait_until(lambda: any(card.heard))
        card.frozen = True
        wait_until(lambda: client.status().speaker.device == "null")
        assert speech.wait().why == "end"
        assert not client.status().stalled
