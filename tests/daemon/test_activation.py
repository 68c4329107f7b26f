"""Sockets handed over as systemd does, and a daemon that serves on one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sambertd_client import Client
from sambertd_client.endpoint import is_listening

from daemon.activation import ActivationError, inherited


def handed(count: int = 1, pid: int | None = None) -> dict[str, str]:
    """The variables systemd sets."""
    return {"LISTEN_PID": str(pid or os.getpid()), "LISTEN_FDS": str(count), "LISTEN_FDNAMES": "x"}


@pytest.fixture
def listener(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as link:
        link.bind(str(folder / "d.sock"))
        link.listen()
        yield link


def test_nothing_is_handed_over_by_default(folder: Path) -> None:
    assert inherited({}, folder / "d.sock") is None


def test_what_is_for_another_process_is_left_alone(folder: Path, listener: socket.socket) -> None:
    environ = handed(pid=1)
    assert inherited(environ, folder / "d.sock", listener.fileno()) is None
    assert environ == {}


def test_the_socket_is_taken_and_no_child_hears_of_it(
    folder: Path, listener: socket.socket
) -> None:
    listener.set_inheritable(True)
    environ = handed()
    assert inherited(environ, folder / "d.sock", listener.fileno()) == listener.fileno()
    assert environ == {}
    assert not listener.get_inheritable()


def test_a_socket_elsewhere_names_both_places(folder: Path, listener: socket.socket) -> None:
    with pytest.raises(
        ActivationError, match=r"d\.sock' but the endpoint is /other;.*ListenStream"
    ):
        inherited(handed(), Path("/other"), listener.fileno())
    with pytest.raises(ActivationError, match="the endpoint is no socket file"):
        inherited(handed(), None, listener.fileno())


def test_two_sockets_are_refused(folder: Path) -> None:
    with pytest.raises(ActivationError, match="2 sockets; keep one ListenStream"):
        inherited(handed(2), folder / "d.sock")


def test_what_is_no_unix_socket_is_refused(folder: Path) -> None:
    with socket.socket() as tcp, pytest.raises(ActivationError, match="no unix socket"):
        inherited(handed(), folder / "d.sock", tcp.fileno())
    with (folder / "file").open("w") as file, pytest.raises(ActivationError, match="no socket"):
        inherited(handed(), folder / "d.sock", file.fileno())


def test_a_daemon_serves_on_it_and_leaves_its_file_for_the_next(
    folder: Path, listener: socket.socket
) -> None:
    """The second daemon answers a request that was sent while none was there."""
    endpoint = f"ipc://{folder}/d.sock"
    with Client(endpoint, timeout=20) as client:
        for _ in range(2):
            with activated(listener, endpoint) as process:
                status = client.status()
                while client.status().state != "ready":
                    time.sleep(0.02)
                assert status.pid == process.pid
                process.terminate()
                assert process.wait(20) == 0
            assert (folder / "d.sock").is_socket()
    assert is_listening(endpoint)


def activated(listener: socket.socket, endpoint: str) -> subprocess.Popen[bytes]:
    """A daemon started as systemd would: the socket as file 3, the process named in LISTEN_PID."""
    become = (
        f"import os, sys; os.dup2({listener.fileno()}, 3); os.environ['LISTEN_PID'] = "
        "str(os.getpid()); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    daemon = ["-m", "tests.daemon.tone_daemon", "--endpoint", endpoint, "--no-speaker"]
    return subprocess.Popen(
        [sys.executable, "-c", become, *daemon],
        env={**os.environ, "LISTEN_FDS": "1"},
        pass_fds=[listener.fileno()],
    )
