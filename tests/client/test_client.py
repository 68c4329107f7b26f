from __future__ import annotations

import socket
import threading
import time
import wave
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from sambertd_client import Client, NoDaemonError, RefusedError, SpeechError, WavWriter
from sambertd_client.endpoint import client_endpoint, daemon_endpoint, is_listening

from tests.daemon.live import LiveDaemon


def test_speech_arrives_piece_by_piece_with_its_account(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        speech = client.say("慢好" * 10)
        pieces = [time.monotonic() for _ in speech]
    assert speech.done is not None
    assert (speech.done.why, speech.done.samples, len(pieces)) == ("end", 16000, 20)
    assert pieces[-1] - pieces[0] > 0.3, "the first pieces come while the last are made"
    assert speech.ttfa_ms is not None
    assert speech.done.ttfa_ms is not None
    assert speech.ttfa_ms >= speech.done.ttfa_ms > 50


def test_two_utterances_of_one_client_do_not_mix(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        one, two = client.say("好" * 40), client.say("好" * 3)
        assert (len(two.read()), len(one.read())) == (3 * 1600, 40 * 1600)


def test_speech_that_has_piled_up_is_read_at_once(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        one, two = (client.say("好" * 1000, credit=1024) for _ in range(2))
        assert one.wait().samples == 800_000
        while two.id in (client.hello().live or ()):  # meanwhile its audio comes here
            time.sleep(0.01)
        assert two.wait().samples == 800_000


def test_leaving_early_cancels(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        with client.say("慢" * 100) as speech:
            next(iter(speech))
        assert speech.wait().why == "cancelled"


def test_barge_ins_leave_nothing_behind(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        for number in range(6):
            with client.say("慢好" * 50, credit=4) as speech:
                if number % 2:
                    next(iter(speech))
            assert speech.done is not None
            assert speech.done.why == "cancelled"
            assert speech.done.samples <= 4 * 800, "no credit is granted on the way out"
        for pcm in (speech := client.say("慢好" * 50)):
            assert len(pcm) == 1600
            speech.cancel()
        assert client._line.inboxes == {}
        assert client.status().in_work == 0


def test_a_long_wait_after_a_restart_is_not_taken_for_another_restart(
    start_daemon: Callable[..., LiveDaemon],
) -> None:
    first = start_daemon()
    with Client(first.endpoint, timeout=0.3) as client, Client(first.endpoint) as other:
        client.hello()
        first.stop()
        start_daemon(in_work=1)
        other.say("慢" * 20, credit=64)
        assert client.say("好").wait().why == "end"


def test_a_refusal_has_a_code(daemon: LiveDaemon) -> None:
    with (
        Client(daemon.endpoint) as client,
        pytest.raises(RefusedError, match="choose of: tone") as e,
    ):
        client.say("好", voice="nobody")
    assert e.value.code == "unknown_voice"


def test_no_daemon_is_told_at_once_where_that_is_known(folder: Path) -> None:
    began = time.monotonic()
    with Client(f"ipc://{folder}/none.sock", timeout=60) as client:
        with pytest.raises(NoDaemonError, match="start the daemon with `sambertd`") as told:
            client.hello()
        assert "--" not in str(told.value), "a program has no options"
        with pytest.raises(NoDaemonError, match="no daemon listens on"):
            client.say("好")
    assert time.monotonic() - began < 20


def test_no_daemon_is_told_after_the_timeout_where_a_socket_is_silent(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{folder}/silent.sock")
        silent.listen()
        with Client(f"ipc://{folder}/silent.sock", timeout=0.2) as client:
            with pytest.raises(NoDaemonError, match=r"within 0\.2 s; start the daemon") as told:
                client.hello()
            assert "--" not in str(told.value)


def test_a_daemon_that_has_gone_is_told_at_once_too(
    start_daemon: Callable[..., LiveDaemon],
) -> None:
    first = start_daemon()
    with Client(first.endpoint, timeout=60) as client:
        client.hello()
        first.stop()
        began = time.monotonic()
        for _ in range(2):
            with pytest.raises(NoDaemonError, match="no daemon listens on"):
                client.status()
        assert time.monotonic() - began < 20
        start_daemon()
        assert client.say("好").wait().why == "end"


def test_a_client_that_wants_to_wait_meets_a_daemon_that_comes_later(
    start_daemon: Callable[..., LiveDaemon], folder: Path
) -> None:
    endpoint = f"ipc://{folder}/d.sock"
    with Client(endpoint, timeout=5, wait_s=60) as client:
        for _ in range(2):  # before it was ever there, and after it was
            came: list[LiveDaemon] = []
            coming = threading.Timer(
                0.5, lambda came=came: came.append(start_daemon(awaited=False))
            )
            coming.start()
            assert client.hello().instance
            coming.join()
            came[0].stop()


def test_a_request_that_is_too_large_is_told_at_once(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        began = time.monotonic()
        with pytest.raises(RefusedError, match="split the text") as caught:
            client.say("好" * 30000)
        assert caught.value.code == "text_too_long"
        assert time.monotonic() - began < 1
        assert client._line.inboxes == {}
        assert client.say("好").read(), "the connection has not suffered"


def test_half_a_character_is_told_at_once(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        open_one = client.say("", more=True)
        asks: list[Callable[[], object]] = [
            lambda: client.say("好\ud800"),
            lambda: client.say("好", lexicon={"\udfff": "hao3"}),
            lambda: client.say("好", voice="\ud800"),
            lambda: client.prefetch(["好", "\ud800"]),
            lambda: open_one.append("\ud800"),
        ]
        for ask in asks:
            with pytest.raises(RefusedError, match="half a character") as caught:
                ask()
            assert caught.value.code == "bad_field"
        open_one.append("好。")
        open_one.end()
        assert open_one.read(), "what was said before goes on"
        assert client._line.inboxes == {}


def test_speech_that_is_lost_with_its_connection_is_told(daemon: LiveDaemon) -> None:
    """As after the network was away for longer than TCP bears."""
    with Client(daemon.endpoint, timeout=0.3) as client, Client(daemon.endpoint) as other:
        speech = client.say("慢" * 100, credit=1)
        theirs = other.say("慢" * 5, credit=1)
        next(iter(speech))
        client._socket.disconnect(client.endpoint)
        client._socket.connect(client.endpoint)
        with pytest.raises(NoDaemonError, match="the connection was lost"):
            speech.wait()
        assert client.say("好").read()
        assert other.hello().live == [theirs.id]
        assert other.hello().voices == [voice.name for voice in other.voices().voices]
        assert theirs.wait().why == "end"
        assert other.hello().live == []


def test_a_bad_endpoint_is_told(folder: Path) -> None:
    with pytest.raises(NoDaemonError, match="is not an endpoint"):
        Client("nowhere")


def test_silence_is_no_failure_while_the_daemon_lives(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint, timeout=0.05) as client:
        assert client.say("慢" * 8, credit=1).wait().why == "end"


def test_a_daemon_that_stops_says_so_and_the_client_goes_on_with_the_next(
    start_daemon: Callable[..., LiveDaemon],
) -> None:
    first = start_daemon()
    with Client(first.endpoint, timeout=0.5) as client:
        speech = client.say("好" * 100, credit=0)
        first.stop()
        start_daemon()
        assert client.say("好").read()
        with pytest.raises(SpeechError, match="shutting down"):
            speech.wait()


def test_endpoints_of_users_and_the_system(folder: Path) -> None:
    env = {"XDG_RUNTIME_DIR": str(folder), "RUNTIME_DIRECTORY": "/run/one:/run/two"}
    assert daemon_endpoint(env) == "ipc:///run/one/sambertd.sock"
    assert daemon_endpoint({**env, "SAMBERTD_ENDPOINT": "tcp://[::1]:1"}) == "tcp://[::1]:1"
    assert client_endpoint({"SAMBERTD_ENDPOINT": "ipc:///x"}) == "ipc:///x"


def test_whether_somebody_listens(daemon: LiveDaemon, folder: Path) -> None:
    assert is_listening(daemon.endpoint)
    assert not is_listening(f"ipc://{folder}/none.sock")
    assert not is_listening("tcp://127.0.0.1:1")


def test_who_is_behind_with_his_connections_listens_all_the_same(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as behind, ExitStack() as waiting:
        behind.bind(f"{folder}/behind.sock")
        behind.listen(0)
        full = False
        while not full:
            one = waiting.enter_context(socket.socket(socket.AF_UNIX))
            one.setblocking(False)
            full = one.connect_ex(f"{folder}/behind.sock") != 0
        assert is_listening(f"ipc://{folder}/behind.sock")


def test_a_wav_file_is_written_while_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with WavWriter(str(path), 24000) as wav:
        assert not path.exists()
        wav.write(b"\x01\x02" * 100)
        wav.write(b"\x03\x04" * 50)
    with wave.open(str(path)) as read:
        assert (read.getframerate(), read.getnchannels(), read.getsampwidth()) == (24000, 1, 2)
        assert read.readframes(1000) == b"\x01\x02" * 100 + b"\x03\x04" * 50
