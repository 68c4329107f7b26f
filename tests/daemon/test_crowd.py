"""Connections without end, by one user: nobody else notices."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sambertd_client import Client

from daemon.crowd import MOST_OF_ONE, Crowd, make_room
from tests.daemon.as_user import KIOSK, as_user, begin_as_user
from tests.daemon.live import LiveDaemon

FLOOD = """(lambda many: [sum(it.connect_ex(sys.argv[2][6:]) == 0 for it in many),
 print('full', flush=True), sys.stdin.read(), many][0])([socket.socket(socket.AF_UNIX)
 for _ in range(900)])"""


def test_a_flood_of_connections_of_one_user_harms_nobody(
    start_daemon: Callable[..., LiveDaemon], caplog: pytest.LogCaptureFixture
) -> None:
    daemon = start_daemon()
    with caplog.at_level(logging.WARNING), Client(daemon.endpoint) as before:
        flood = begin_as_user(daemon, KIOSK, FLOOD)
        assert flood.stdout is not None
        assert flood.stdout.readline() == "full\n"
        until = time.monotonic() + 5
        while len(daemon.server._transport._crowd) > MOST_OF_ONE + 5 and time.monotonic() < until:
            time.sleep(0.02)
        assert len(daemon.server._transport._crowd) <= MOST_OF_ONE + 5
        assert len(before.say("好好").read()) == 3200
        with Client(daemon.endpoint) as after:
            assert len(after.say("好好").read()) == 3200
        assert flood.communicate("", timeout=60)[0] == "900\n"
        until = time.monotonic() + 5
        while len(daemon.server._transport._crowd) > 1 and time.monotonic() < until:
            time.sleep(0.02)
        assert as_user(daemon, KIOSK, "len(client.say('好好').read())") == 3200
    (line,) = (line for line in caplog.messages if line.startswith("too many connections"))
    assert f"of user {KIOSK}" in line


def test_the_newest_of_too_many_is_shut_and_the_count_goes_down(tmp_path: Path) -> None:
    crowd = Crowd(most=3, most_of_one=2)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        pairs = []
        for _ in range(3):
            near = socket.socket(socket.AF_UNIX)
            near.connect(str(tmp_path / "s"))
            pairs.append((near, listener.accept()[0]))
            crowd.came(pairs[-1][1].fileno())
        pairs[0][1].sendall(b"x")
        assert (pairs[0][0].recv(1), pairs[2][0].recv(1)) == (b"x", b"")
        assert len(crowd) == 3
        for _, far in pairs:
            crowd.left(far.fileno())
        assert len(crowd) == 0
        for pair in pairs:
            for link in pair:
                link.close()


def test_files_that_are_no_connections_are_left_alone(tmp_path: Path) -> None:
    crowd = Crowd(most=0, most_of_one=0)
    files = len(os.listdir("/proc/self/fd"))
    near, far = socket.socketpair()
    with (tmp_path / "f").open("w") as file, near, far:
        for fd in (file.fileno(), near.fileno(), 9999):
            crowd.came(fd)
        near.sendall(b"x")
        assert far.recv(1) == b"x"
    assert len(crowd) == 0
    assert len(os.listdir("/proc/self/fd")) == files


def test_there_is_room_for_more_connections_than_one_may_have() -> None:
    assert make_room() > MOST_OF_ONE
