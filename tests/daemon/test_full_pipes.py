"""A peer that goes while its messages wait to be read: libzmq's heartbeats would abort then."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import zmq
from sambertd_client import Client
from sambertd_client.connection import KEEPALIVE

from daemon.transport import Transport, Waker

AFTER_S = 2.5  # more than twice the second after which a heartbeat was due
FLOOD = 100_000
DAEMON = """
import sys, time
from daemon.transport import Transport, Waker
transport = Transport(Waker())
transport.bind(sys.argv[1], None)
print("up", flush=True)
sys.stdin.readline()
while not list(transport.receive()):
    transport.wait(0.1)
transport.close()
print("well", flush=True)
"""
CLIENT = """
import sys
from sambertd_client import Client, protocol
with Client(sys.argv[1]) as client:
    client._line.send(protocol.Hello(id="x"))
    print("up", flush=True)
    sys.stdin.readline()
print("well", flush=True)
"""


def process(program: str, endpoint: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", program, endpoint]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)


def well(process: subprocess.Popen[bytes]) -> bool:
    time.sleep(AFTER_S)
    out, err = process.communicate(b"\n", timeout=30)
    assert process.returncode == 0, err.decode()
    return out.endswith(b"well\n")


def test_a_daemon_outlives_a_client_that_floods_it_and_goes(folder: Path) -> None:
    endpoint = f"ipc://{folder}/d.sock"
    with process(DAEMON, endpoint) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == b"up\n"
        with zmq.Context() as context, context.socket(zmq.DEALER) as client:
            client.setsockopt(zmq.LINGER, 0)
            client.setsockopt(zmq.SNDHWM, 0)
            client.connect(endpoint)
            for _ in range(FLOOD):
                client.send(b"x" * 100)
            time.sleep(0.5)  # until all that goes has gone
        assert well(daemon)


def test_a_client_outlives_a_daemon_that_goes_while_it_does_not_read(folder: Path) -> None:
    endpoint = f"ipc://{folder}/d.sock"
    with zmq.Context() as context, context.socket(zmq.ROUTER) as daemon:
        daemon.setsockopt(zmq.LINGER, 0)
        daemon.setsockopt(zmq.SNDHWM, 0)
        daemon.bind(endpoint)
        client = process(CLIENT, endpoint)
        name, _ = daemon.recv_multipart()
        for _ in range(FLOOD):
            daemon.send_multipart([name, b"x" * 100])
        time.sleep(0.5)
    with client:
        assert well(client)


def test_both_ends_have_tcp_look_after_idle_connections(folder: Path) -> None:
    waker = Waker()
    transport = Transport(waker)
    with Client(f"ipc://{folder}/d.sock") as client:
        for socket in (client._socket, transport._socket):
            assert socket.getsockopt(zmq.HEARTBEAT_IVL) == 0
            for option, value in KEEPALIVE:
                assert socket.getsockopt(option) == value
    transport.close()
    waker.close()
