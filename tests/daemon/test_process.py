"""The daemon as a process: one per endpoint, clean ends, clear last words."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sambertd_client import Client, NoDaemonError, RefusedError, SpeechError
from sambertd_client.endpoint import is_listening

from daemon.command_line import parse
from daemon.lock import EndpointLock
from daemon.server import LOAD_STEP_S, Server
from daemon.service import Service
from daemon.voices import Shelf

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def start(
        *arguments: str, module: str = "tests.daemon.tone_daemon", **env: str
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, **env},
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def ready(endpoint: str) -> None:
    with Client(endpoint, timeout=15, wait_s=15) as client:
        while client.status().state != "ready":
            time.sleep(0.02)


def last_words(process: subprocess.Popen[str], code: int) -> str:
    words = process.communicate(timeout=20)[1]
    assert process.returncode == code, words
    return words


def test_a_second_daemon_is_refused_and_the_first_lives_on(start: Start, folder: Path) -> None:
    endpoint = f"ipc://{folder}/d.sock"
    first = start("--endpoint", endpoint, "--no-speaker")
    ready(endpoint)
    words = last_words(start("--endpoint", endpoint, "--no-speaker"), 3)
    assert f"(pid {first.pid}) already serves" in words
    with Client(endpoint) as client:
        assert client.say("好").read()
        assert client.status().pid == first.pid


def test_the_socket_is_for_owner_and_group(start: Start, folder: Path) -> None:
    endpoint = f"ipc://{folder}/d.sock"
    start("--endpoint", endpoint, "--no-speaker")
    ready(endpoint)
    assert stat.S_IMODE((folder / "d.sock").stat().st_mode) == 0o660


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_live_requests_are_told(
    start: Start, folder: Path, number: signal.Signals
) -> None:
    endpoint = f"ipc://{folder}/d.sock"
    process = start("--endpoint", endpoint, "--no-speaker")
    ready(endpoint)
    with Client(endpoint) as client:
        speech = client.say("慢" * 100)
        process.send_signal(number)
        with pytest.raises(SpeechError, match="shutting down"):
            speech.read()
    last_words(process, 0)


def test_a_dead_daemons_socket_is_no_obstacle(start: Start, folder: Path) -> None:
    endpoint = f"ipc://{folder}/d.sock"
    process = start("--endpoint", endpoint, "--no-speaker")
    ready(endpoint)
    process.kill()
    process.wait()
    assert (folder / "d.sock").exists()
    start("--endpoint", endpoint, "--no-speaker")
    ready(endpoint)


def test_a_client_notices_that_its_daemon_was_killed_and_restarted(
    start: Start, folder: Path
) -> None:
    endpoint = f"ipc://{folder}/d.sock"
    process = start("--endpoint", endpoint, "--no-speaker")
    ready(endpoint)
    with Client(endpoint, timeout=1) as client:
        speech = client.say("慢" * 100, credit=1)
        process.kill()
        process.wait()
        start("--endpoint", endpoint, "--no-speaker")
        ready(endpoint)
        assert client.hello().instance != speech.instance
        with pytest.raises(NoDaemonError, match="has forgotten"), speech:
            speech.wait()
        assert client._line.inboxes == {}
        with pytest.raises(NoDaemonError, match="say it again"):
            speech.read()
        assert client.say("好").read()


def test_a_daemon_killed_mid_speech_is_told_soon(start: Start, folder: Path) -> None:
    endpoint = f"ipc://{folder}/d.sock"
    process = start("--endpoint", endpoint, "--no-speaker")
    ready(endpoint)
    with Client(endpoint) as client:
        speech = client.say("慢" * 100)
        next(iter(speech))
        process.kill()
        process.wait()
        began = time.monotonic()
        with pytest.raises(NoDaemonError, match="the speech was cut off"), speech:
            speech.wait()
        assert time.monotonic() - began < 3


def test_a_file_that_is_no_socket_is_left_alone(start: Start, folder: Path) -> None:
    (folder / "d.sock").write_text("mine")
    words = last_words(start("--endpoint", f"ipc://{folder}/d.sock"), 3)
    assert "not a socket" in words
    assert (folder / "d.sock").read_text() == "mine"


def test_a_folder_that_cannot_be_written(start: Start) -> None:
    words = last_words(start("--endpoint", "ipc:///proc/sambertd/d.sock"), 3)
    assert "cannot use /proc/sambertd" in words
    assert "--endpoint" in words


def test_a_taken_port(start: Start, folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        words = last_words(start("--endpoint", endpoint, STATE_DIRECTORY=str(folder)), 3)
    assert "cannot listen" in words


def test_no_voice_names_the_cure(start: Start, folder: Path) -> None:
    arguments = ("--endpoint", f"ipc://{folder}/d.sock", "--voices", str(folder))
    words = last_words(start(*arguments, module="daemon"), 4)
    assert "no voice pack" in words
    assert "--voices" in words


def test_bad_settings_end_with_2(start: Start) -> None:
    words = last_words(start("--endpoint", "tcp://0.0.0.0", module="daemon"), 78)
    assert words.startswith("sambertd: endpoint: 'tcp://0.0.0.0'")


def test_status_answers_while_voices_load_and_say_is_told_to_wait(
    start: Start, folder: Path
) -> None:
    endpoint = f"ipc://{folder}/d.sock"
    start("--endpoint", endpoint, "--no-speaker", TONE_LOAD_S="1")
    with Client(endpoint, timeout=15, wait_s=15) as client:
        status = client.status()
        assert (status.state, status.detail) == ("loading", "loading voice tone")
        with pytest.raises(RefusedError, match="loading voice tone"):
            client.say("好")
    ready(endpoint)


def test_without_portaudio_it_serves_clients_and_names_the_package(
    start: Start, folder: Path
) -> None:
    endpoint = f"ipc://{folder}/d.sock"
    start("--endpoint", endpoint, TONE_NO_PORTAUDIO="1")
    ready(endpoint)
    with Client(endpoint) as client:
        speaker = client.status().speaker
        assert not speaker.available
        assert "sudo apt install libportaudio2" in speaker.reason
        with pytest.raises(RefusedError, match="libportaudio2"):
            client.say("好", sink="speaker")
        assert client.say("好").read()


def test_systemd_is_told_when_it_is_ready_and_when_it_stops(start: Start, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(folder / "notify"))
        supervisor.settimeout(15)
        env = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "300000"}
        process = start("--endpoint", f"ipc://{folder}/d.sock", "--no-speaker", **env)
        told: list[str] = []
        while not told or "READY=1" not in told[-1]:
            told.append(supervisor.recv(1000).decode())
        assert f"STATUS=loading voice tone\nEXTEND_TIMEOUT_USEC={int(LOAD_STEP_S * 1e6)}" in told
        began = time.monotonic()
        for _ in range(4):
            assert supervisor.recv(1000) == b"WATCHDOG=1"
        assert 0.2 < time.monotonic() - began < 3
        process.terminate()
        while "STOPPING=1" not in told[-1]:
            told.append(supervisor.recv(1000).decode())


def test_a_supervisor_that_is_gone_is_told_once_and_harms_nothing(
    start: Start, folder: Path
) -> None:
    endpoint, env = f"ipc://{folder}/d.sock", {"NOTIFY_SOCKET": str(folder / "gone")}
    process = start("--endpoint", endpoint, "--no-speaker", WATCHDOG_USEC="300000", **env)
    ready(endpoint)
    process.terminate()
    assert last_words(process, 0).count("does not answer") == 1


@pytest.mark.parametrize("also", [False, True])
def test_a_bug_in_the_loop_ends_with_70_and_frees_the_endpoint(
    folder: Path, monkeypatch: pytest.MonkeyPatch, also: bool
) -> None:
    """also: telling the clients fails too."""
    config = parse(["--endpoint", f"ipc://{folder}/d.sock", "--no-speaker"], {"HOME": "/"})
    server = Server(config, lambda _: Shelf())  # the loop relies on a voice
    if also:
        monkeypatch.setattr(Service, "end_all", lambda *_: 1 / 0)
    with ThreadPoolExecutor(1) as thread:  # in the main thread it would take over the signals
        assert thread.submit(server.run).result(20) == 70
    assert not is_listening(config.endpoint)
    again = EndpointLock(folder / "d.sock")
    again.acquire()
    again.release()
