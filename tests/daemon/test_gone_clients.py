"""Clients that were killed, or let go: what was for them is over, whatever state it was in."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
import zmq
from sambertd_client import Client

from daemon.config import SpeakerConfig
from daemon.connections import Connections
from daemon.transport import Transport, Waker
from tests.daemon.keeping import Start
from tests.daemon.live import LiveDaemon, RawClient
from tests.daemon.quiet_card import QuietCard
from tests.daemon.tone import CHUNK, SLOW

WITHIN_S = 10.0  # on a busy box; a stall takes longer
LONG = "好" * 500
CLIENT = """
import json, sys, time, msgpack, zmq
daemon = zmq.Context().socket(zmq.DEALER)
daemon.connect(sys.argv[1])
for request in json.loads(sys.argv[2]):
    daemon.send(msgpack.packb({"v": 1, **request}))
    answer = msgpack.unpackb(daemon.recv_multipart()[0])
    print(answer["t"], flush=True)
time.sleep(600)
"""
SAY = {"t": "say", "id": "a", "text": LONG}
STATES: dict[str, list[dict[str, Any]]] = {
    "without credit": [SAY],
    "with credit": [{**SAY, "text": SLOW * 500, "credit": 1024}],
    "queued": [{**SAY, "id": str(number)} for number in range(8)],
    "without text": [{**SAY, "text": "", "more": True}],
    "with half a text": [{**SAY, "text": LONG + "。好", "more": True}],
    "paused": [SAY, {"t": "pause", "id": "-"}],
    "paused without text": [{**SAY, "text": "", "more": True}, {"t": "pause", "id": "-"}],
    "with a key": [{**SAY, "key": "k"}],
    "a subscription": [{"t": "subscribe", "id": "a"}],
}


@contextmanager
def client_process(
    endpoint: str, requests: list[dict[str, Any]]
) -> Iterator[subprocess.Popen[str]]:
    """A client that has had its first answer to each of them."""
    command = [sys.executable, "-c", CLIENT, endpoint, json.dumps(requests, ensure_ascii=False)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for _ in requests:
                assert process.stdout.readline().strip() not in ("", "error")
            yield process
        finally:
            process.kill()


def held(client: Client) -> tuple[int, int]:
    """Places that are taken: of utterances, and of subscribers."""
    status = client.status()
    return status.in_work + status.waiting, client.stats().subscribers


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def roomy(start_daemon: Callable[..., LiveDaemon]) -> LiveDaemon:
    """Nothing ends by itself while a test runs."""
    return start_daemon(stall_s=600.0, append_s=600.0)


@pytest.mark.parametrize("state", STATES)
def test_a_killed_client_holds_nothing(roomy: LiveDaemon, state: str) -> None:
    with Client(roomy.endpoint) as client, client_process(roomy.endpoint, STATES[state]) as process:
        assert sum(held(client)) >= 1
        process.kill()
        until(lambda: held(client) == (0, 0))


def test_a_killed_client_has_nothing_made_ready(start_keeping: Start, endpoint: str) -> None:
    """Its prefetches are over: their places are free."""
    start_keeping()
    texts = [f"第{number}句话，说得长一点，再长一点。" for number in range(100)]
    requests = [{"t": "prefetch", "id": str(number), "texts": texts} for number in range(8)]
    with client_process(endpoint, requests) as process:
        process.kill()
        until(lambda: _may_prefetch(endpoint))


def _may_prefetch(endpoint: str) -> bool:
    """A user may have eight."""
    client = RawClient(endpoint)
    answer = client.ask("prefetch", texts=["好。"])
    client.close()
    return bool(answer["t"] != "error")


def test_a_frozen_client_keeps_all_it_has(roomy: LiveDaemon) -> None:
    """Another one that is killed meanwhile loses its own."""
    with (
        Client(roomy.endpoint) as client,
        client_process(roomy.endpoint, [SAY]) as frozen,
        client_process(roomy.endpoint, [SAY, {**SAY, "id": "b"}]) as killed,
    ):
        frozen.send_signal(signal.SIGSTOP)
        assert held(client) == (3, 0)
        killed.kill()
        until(lambda: held(client) == (1, 0))
        time.sleep(1.0)  # nothing comes from the frozen one
        assert held(client) == (1, 0)


def test_what_was_said_to_the_speaker_is_spoken_as_far_as_its_text_came(
    quiet_card: QuietCard, start_daemon: Callable[..., LiveDaemon]
) -> None:
    """Nobody can go on with it; with a key somebody can."""
    roomy = start_daemon(SpeakerConfig(), append_s=600.0)
    say = {"t": "say", "id": "a", "sink": "speaker", "text": "好好。好", "more": True}
    with Client(roomy.endpoint) as client:
        with client_process(roomy.endpoint, [say]) as process:
            process.kill()
            until(lambda: client.status().done == 1)
        assert client.stats().audio_s == pytest.approx(4 * CHUNK / 16000)
        with client_process(roomy.endpoint, [{**SAY, "id": "b"}, {**say, "key": "k"}]) as process:
            process.kill()
            until(lambda: client.status().cancelled == 1)
        assert held(client) == (1, 0)
        taken = client.say("好好。好", sink="speaker", more=True, key="k")
        taken.append("好。")
        taken.end()
        assert (done := taken.wait()).why == "end"
        assert done.samples == 6 * CHUNK


def test_what_comes_from_one_that_is_gone_already_holds_nothing(folder: Path) -> None:
    """Its message is read after the end of its connection was told."""
    waker, endpoint = Waker(), f"ipc://{folder / 'd.sock'}"
    transport = Transport(waker)
    transport.bind(endpoint, folder / "d.sock")
    client = RawClient(endpoint)
    _wait_for(transport, connections=1)
    client.socket.setsockopt(zmq.LINGER, -1)
    client.send("say", text=LONG)
    client.close()
    _wait_for(transport, connections=0)
    came = []
    for received in transport.receive():
        assert transport.gone() == []
        came.append(received)
    assert [msgpack.unpackb(received.frames[0])["t"] for received in came] == ["say"]
    assert transport.gone() == [came[0].client]
    for opened in (transport, waker):
        opened.close()


def _wait_for(transport: Transport, connections: int) -> None:
    deadline = time.monotonic() + WITHIN_S
    while len(transport._crowd) != connections:
        assert time.monotonic() < deadline
        transport.wait(0.1)


OLD, NEW, NEWEST = b"\0\xff\xff\xff\xfe", b"\0\xff\xff\xff\xff", b"\0\0\0\0\0"  # it counts around


def test_a_file_that_is_anothers_now() -> None:
    """Messages of three clients that had it one after another, however they are mixed."""
    links = Connections()
    links.came(9)
    assert links.sent(9, OLD)
    assert links.knows(9, OLD)
    links.left(9)
    assert links.gone() == [OLD]
    assert not links.sent(9, OLD)
    links.came(9)
    assert links.sent(9, NEW), "its end was told already"
    links.left(9)
    links.came(9)
    assert links.gone() == [NEW]
    assert links.sent(9, NEW), "nothing tells it from the newest"
    assert links.sent(9, NEWEST)
    assert links.gone() == [NEW]
    assert not links.sent(9, NEW)
    assert links.knows(9, NEWEST)
    links.lost(NEW)
    assert links.gone() == [NEW]


def test_names_that_were_chosen_tell_no_order() -> None:
    links = Connections()
    links.came(9)
    assert links.sent(9, b"robot")
    assert links.sent(9, NEW)
    assert links.sent(9, b"robot")
    assert links.gone() == []
