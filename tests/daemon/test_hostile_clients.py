"""Clients that send garbage, vanish, or stop reading: they harm nobody."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from pathlib import Path

import msgpack  # type: ignore[import-untyped]
import pytest
import zmq
from sambertd_client import Client

from daemon.transport import MAX_PARTS, MAX_REST, Transport, Waker
from tests.daemon.live import Connect, LiveDaemon, RawClient
from tests.daemon.tone import SLOW


def still_serves(daemon: LiveDaemon) -> None:
    with Client(daemon.endpoint) as client:
        assert len(client.say("好好").read()) == 3200


NOISE = random.Random(7)
GARBAGE = [
    b"",
    b"\x00",
    b"hello",
    NOISE.randbytes(1000),
    b"\x91" * 60000,  # nested arrays
    b"\x81\xa1a" * 20000,  # nested maps
    b"\xdd\xff\xff\xff\xff",  # an array said to have 2**32 items
    b"\xdb\xff\xff\xff\xff",
    b"\xd6\xff\x00\x00\x00\x00",  # a timestamp extension
    msgpack.packb([1, 2, 3]),
    msgpack.packb({1: 2}),
    msgpack.packb({b"v": b"1"}),
    msgpack.packb({"v": 1, "t": "say", "id": "1", "text": b"bytes"}),
    b"\x82\xa1v\x01\xa1t\xa3\xff\xfe\xfd",  # not UTF-8
]


@pytest.mark.parametrize("frame", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_gets_an_error(daemon: LiveDaemon, raw_client: Connect, frame: bytes) -> None:
    client = raw_client(daemon.endpoint)
    client.socket.send(frame)
    reply, _ = client.receive()
    assert (reply["t"], reply["id"]) in (("error", ""), ("error", "1"))
    assert reply["code"] in ("undecodable", "bad_field")
    assert client.ask("hello")["t"] == "welcome"


@pytest.mark.parametrize("count", [2, 3, 200])
def test_too_many_parts(daemon: LiveDaemon, raw_client: Connect, count: int) -> None:
    client = raw_client(daemon.endpoint)
    client.socket.send_multipart([msgpack.packb({"v": 1, "t": "hello", "id": "1"})] * count)
    assert client.receive()[0]["code"] == "bad_frames"
    still_serves(daemon)


def test_a_message_of_endless_parts_is_thrown_away_bit_by_bit(folder: Path) -> None:
    """The loop does its other work between: nobody's speech waits, and systemd sees it alive."""
    waker, endpoint = Waker(), f"ipc://{folder / 'd.sock'}"
    transport = Transport(waker)
    transport.bind(endpoint, folder / "d.sock")
    hostile, honest = RawClient(endpoint), RawClient(endpoint)
    hostile.socket.send_multipart([b"part"] * 50_000)
    got: list[list[bytes]] = []
    rounds = 0
    until = time.monotonic() + 30
    while [b"hello"] not in got:
        assert time.monotonic() < until, got
        transport.wait(0.1)
        came = [received.frames for received in transport.receive()]
        if came == [[b"part"] * MAX_PARTS]:
            honest.socket.send(b"hello")
        rounds += 1
        got += came
    assert got == [[b"part"] * MAX_PARTS, [b"hello"]]
    assert rounds >= (50_000 - MAX_PARTS) // MAX_REST
    for opened in (hostile, honest, transport, waker):
        opened.close()


def test_an_oversize_frame_drops_only_its_sender(daemon: LiveDaemon, raw_client: Connect) -> None:
    client = raw_client(daemon.endpoint)
    client.socket.send(bytes(1 << 20))
    assert client.silent()
    still_serves(daemon)


def test_bytes_that_are_not_zeromq(daemon: LiveDaemon) -> None:
    for data in (b"GET / HTTP/1.1\r\n\r\n", NOISE.randbytes(4096), b"\xff" * 10):
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(daemon.endpoint.removeprefix("ipc://"))
            link.sendall(data)
    still_serves(daemon)


def test_a_client_that_vanishes_mid_stream_frees_its_place(
    start_daemon: Callable[..., LiveDaemon], raw_client: Connect
) -> None:
    daemon = start_daemon(in_work=1, waiting=0)
    context = zmq.Context()
    gone = context.socket(zmq.DEALER)
    gone.setsockopt(zmq.LINGER, 0)
    gone.connect(daemon.endpoint)
    say = {"v": 1, "t": "say", "id": "1", "text": SLOW * 500, "credit": 1000}
    gone.send(msgpack.packb(say))
    assert gone.poll(2000)
    gone.close()
    context.term()
    with Client(daemon.endpoint) as client:
        until = time.monotonic() + 3
        while client.status().in_work and time.monotonic() < until:
            time.sleep(0.02)
        assert client.status().cancelled == 1
    still_serves(daemon)


def test_what_a_client_held_is_free_when_it_has_gone(
    start_daemon: Callable[..., LiveDaemon],
) -> None:
    """Nothing need be sent to it to see that; another that came by the same file keeps its own."""
    daemon = start_daemon(in_work=4, waiting=0)
    with Client(daemon.endpoint) as client:
        for _ in range(3):
            gone = RawClient(daemon.endpoint)
            gone.ask("subscribe", id="events", kinds=["reload"])
            for number in range(4):
                assert gone.ask("say", id=str(number), text="好" * 500)["t"] == "accepted"
            assert len(gone.ask("pause", id="-")["ids"]) == 4
            assert client.status().paused == 4
            gone.close()
            mine = RawClient(daemon.endpoint)
            until = time.monotonic() + 10
            while client.status().paused:
                assert time.monotonic() < until
                time.sleep(0.02)
            assert client.stats().subscribers == 0
            assert mine.ask("say", text="好" * 20)["t"] == "accepted"
            assert mine.ask("pause", id="-")["ids"] == ["1"]
            assert client.status().paused == 1
            mine.close()
            while client.status().paused:
                assert time.monotonic() < until
                time.sleep(0.02)
        assert client.status().cancelled == 15


def test_who_comes_under_the_name_of_one_that_has_gone_keeps_its_own(daemon: LiveDaemon) -> None:
    """A client with a routing id of its own that was started again at once."""
    accepted, until = 0, time.monotonic() + 90
    context = zmq.Context()
    while accepted < 5:
        assert time.monotonic() < until
        for name, text in (("first", "好" * 500), ("second", "好好")):
            robot = context.socket(zmq.DEALER)
            robot.setsockopt(zmq.ROUTING_ID, b"robot")
            robot.setsockopt(zmq.LINGER, 0)
            robot.connect(daemon.endpoint)
            say = {"v": 1, "t": "say", "id": name, "text": text, "credit": 2, "sink": "client"}
            robot.send(msgpack.packb(say))
            while robot.poll(200):  # ZeroMQ answers nothing while the name is in use
                reply = msgpack.unpackb(robot.recv_multipart()[0])
                if (reply["t"], reply["id"]) == ("accepted", "first"):
                    break
                if (reply["t"], reply["id"]) == ("done", "second"):
                    assert reply["why"] == "end"
                    accepted += 1
                    break
            robot.close()
    context.term()


def test_a_client_without_credit_stalls_only_itself_and_is_dropped(
    start_daemon: Callable[..., LiveDaemon], raw_client: Connect
) -> None:
    daemon = start_daemon(in_work=1, waiting=4, stall_s=5.0)
    stalled = [raw_client(daemon.endpoint) for _ in range(3)]
    for client in stalled:
        assert client.ask("say", text="好" * 500, credit=0)["t"] == "accepted"
    still_serves(daemon)  # at once, though in_work is 1 and all of it is stalled
    assert all(client.silent(0.01) for client in stalled)
    for client in stalled:
        done, _ = client.receive()
        assert (done["t"], done["why"], done["code"]) == ("done", "error", "client_stalled")
        assert done["samples"] == 0


def test_what_replaces_others_waits_until_their_places_in_the_voice_are_free(
    start_daemon: Callable[..., LiveDaemon], raw_client: Connect
) -> None:
    daemon = start_daemon(in_work=2)
    daemon.voice.streams = 2
    client = raw_client(daemon.endpoint)
    for number in range(10):
        for name in "ab":
            client.send("say", id=f"{name}{number}", text="好" * 30)
        time.sleep(0.02)
        client.send("say", id=f"c{number}", text="好好", queue="replace", credit=9)
        while True:
            reply, _ = client.receive()
            if (reply["t"], reply["id"]) == ("done", f"c{number}"):
                break
        assert reply["why"] == "end"


def test_credit_is_never_exceeded(daemon: LiveDaemon, raw_client: Connect) -> None:
    client = raw_client(daemon.endpoint)
    client.ask("say", text="好" * 10, credit=2)
    for granted in (2, 3, 1):
        for _ in range(granted):
            assert client.receive()[0]["t"] == "audio"
        assert client.silent(0.05)
        client.send("credit", grant={2: 3, 3: 1, 1: 9}[granted])
    kinds = [client.receive()[0]["t"] for _ in range(5)]
    assert kinds == ["audio"] * 4 + ["done"]


def test_a_client_that_asks_much_before_it_reads_loses_nothing(
    daemon: LiveDaemon, raw_client: Connect
) -> None:
    """Its pipe is full for a moment, which is no reason to give it up."""
    client = raw_client(daemon.endpoint)
    client.ask("say", id="open", text="", more=True, credit=1000)
    for number in range(400):
        client.send("append", id=f"a{number}", target="open", text="好。")
        client.send("say", id=f"s{number}", text="好", credit=9)
    client.send("end", id="end", target="open")
    answers: dict[str, list[str]] = {}
    while len(answers) < 802 or "done" not in answers["open"]:
        reply, _ = client.receive()
        assert reply.get("why", "end") == "end", reply
        answers.setdefault(reply["id"], []).append(reply["t"])
    for number in range(400):
        assert answers[f"a{number}"] == ["appended"]
        assert answers[f"s{number}"] in (["error"], ["accepted", "audio", "done"])


def test_a_client_that_never_reads_loses_its_own_replies_only(
    start_daemon: Callable[..., LiveDaemon], raw_client: Connect
) -> None:
    daemon = start_daemon(stall_s=1.0)
    deaf = raw_client(daemon.endpoint, rcvhwm=1)
    deaf.send("say", text="好" * 1000, credit=1000)
    for number in range(3000):
        try:
            deaf.socket.send(msgpack.packb({"v": 1, "t": "status", "id": str(number)}), zmq.NOBLOCK)
        except zmq.Again:
            time.sleep(0.001)
    still_serves(daemon)
    with Client(daemon.endpoint) as client:
        until = time.monotonic() + 4
        while client.status().in_work and time.monotonic() < until:
            time.sleep(0.02)
        assert client.status().in_work == 0
