"""The socket: a ROUTER that never blocks, and a way for other threads to wake its loop.

With daemon/gate.py the only importer of zmq in the daemon. Used by one thread, except `Waker.set`.
"""

from __future__ import annotations

import enum
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import zmq
from sambertd_client.connection import KEEPALIVE
from sambertd_client.errors import KeyFileError
from sambertd_client.keyring import server_key
from sambertd_client.protocol import MAX_FRAME_BYTES

from daemon.connections import Connections
from daemon.crowd import Crowd, make_room
from daemon.gate import Gate
from daemon.key_ring import KeyRing
from daemon.peers import Origin

SOCKET_MODE = 0o660
MAX_PARTS = 8  # read of one message; its rest is thrown away,
MAX_REST = 1000  # so many parts before the loop does its other work
MONITOR, EVENT = "inproc://connections", struct.Struct("=Hi")  # of zmq_socket_monitor(3)
MAX_BATCH = 64  # messages handled before the loop does its other work


class TransportError(Exception):
    """The endpoint cannot be bound."""


class Delivery(enum.Enum):
    SENT = "sent"
    FULL = "full"  # this client's pipe is full; nothing was sent
    GONE = "gone"  # no such client any more


class Received(NamedTuple):
    """One message; a client is the identity ROUTER gave its connection."""

    client: bytes
    origin: Origin
    frames: list[bytes]


class Waker:
    """Wakes a poll from any thread or signal handler; many calls count as one, late ones none."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.RLock()  # a signal handler may come between

    def set(self) -> None:
        with self._lock:
            if self.fd >= 0:
                os.eventfd_write(self.fd, 1)

    def clear(self) -> None:
        try:
            os.eventfd_read(self.fd)
        except BlockingIOError:
            return

    def close(self) -> None:
        with self._lock:
            fd, self.fd = self.fd, -1
            os.close(fd)


class Transport:
    """Frames from and to clients."""

    def __init__(self, waker: Waker) -> None:
        self._waker = waker
        self._rest = False  # whether a message has parts that are still to be thrown away
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        for option, value in (
            (zmq.ROUTER_MANDATORY, 1),
            (zmq.SNDHWM, 64),
            (zmq.RCVHWM, 64),
            (zmq.MAXMSGSIZE, MAX_FRAME_BYTES),
            (zmq.LINGER, 500),
            *KEEPALIVE,
            (zmq.IPV6, 1),
        ):
            self._socket.setsockopt(option, value)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(waker.fd, zmq.POLLIN)
        self._gate: Gate | None = None
        self._crowd = Crowd(make_room())
        self._connections = Connections()
        self._socket.monitor(MONITOR, zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        self._monitor = self._context.socket(zmq.PAIR)
        self._monitor.connect(MONITOR)
        self._poller.register(self._monitor, zmq.POLLIN)

    def bind(self, endpoint: str, socket_path: Path | None, fd: int | None = None) -> None:
        """Listen; a socket file is for its owner and group only. Raises TransportError.

        fd: a socket that listens there already; it is closed with this transport, its file stays.
        """
        old = os.umask(0o777 & ~SOCKET_MODE)
        try:
            if fd is not None:
                self._socket.setsockopt(zmq.USE_FD, fd)
            self._socket.bind(endpoint)
            if socket_path is not None and fd is None:
                socket_path.chmod(SOCKET_MODE)
        except (zmq.ZMQError, OSError) as error:
            raise TransportError(
                f"cannot listen on {endpoint}: {error}; choose another --endpoint"
            ) from error
        finally:
            os.umask(old)

    def bind_encrypted(self, endpoint: str, ring: KeyRing) -> None:
        """Listen also there, for those whose key is in the ring. Raises TransportError."""
        try:
            if not zmq.has("curve"):
                raise TransportError("this ZeroMQ cannot encrypt; install pyzmq from PyPI")
            if self._gate is None:
                secret = server_key(ring.folder).secret
                self._gate = Gate(self._context, ring)
                self._gate.guard(self._socket, secret)
                self._poller.register(self._gate.socket, zmq.POLLIN)
            self._socket.setsockopt(zmq.USE_FD, -1)
            self._socket.bind(endpoint)
        except (KeyFileError, zmq.ZMQError) as error:
            raise TransportError(f"cannot listen on {endpoint}: {error}") from error

    def wait(self, timeout_s: float) -> None:
        """Return when a message came, the waker was set, or the time is over."""
        self._poller.poll(max(0, int(timeout_s * 1000)))
        self._waker.clear()
        self._count()
        if self._gate is not None:
            self._gate.answer()

    def _count(self) -> None:
        """See who has come and who has left."""
        while True:
            try:
                frames = self._monitor.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            event, fd = EVENT.unpack(frames[0])
            for told in (self._crowd, self._connections):
                (told.came if event == zmq.EVENT_ACCEPTED else told.left)(fd)

    def _is_there(self, client: zmq.Frame) -> bool:
        """Whether the connection that a message came by has not ended, as far as can be told.

        Peers of ZMTP 1 and 2 have nothing to tell by.
        """
        try:
            fd, name = client.get(zmq.SRCFD), client.bytes
        except zmq.ZMQError:
            return True
        if self._connections.knows(fd, name):
            return True
        self._count()  # first: the one that had this file, or this name, before may have left
        return self._connections.sent(fd, name)

    def gone(self) -> list[bytes]:
        """Clients whose connection has ended since the last call."""
        return self._connections.gone()

    def receive(self) -> Iterator[Received]:
        """Messages that are here now; at most MAX_BATCH, fair to clients.

        Handle who is `gone` before each: its name may be another's now.
        """
        for _ in range(MAX_BATCH):
            if self._rest and not self._throw_away():
                return
            try:
                client = self._socket.recv(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            frames: list[bytes] = []
            while self._socket.getsockopt(zmq.RCVMORE) and len(frames) < MAX_PARTS:
                frames.append(self._socket.recv(zmq.NOBLOCK))
            self._rest = len(frames) == MAX_PARTS
            is_there = self._is_there(client)
            yield Received(client.bytes, self._origin(client), frames)
            if not is_there:
                self._connections.lost(client.bytes)

    def _throw_away(self) -> bool:
        """Parts of a message that has too many; False: more are left for the next time."""
        for _ in range(MAX_REST):
            if not self._socket.getsockopt(zmq.RCVMORE):
                self._rest = False
                return True
            self._socket.recv(zmq.NOBLOCK)
        return False

    def _origin(self, frame: zmq.Frame) -> Origin:
        key = "" if self._gate is None else self._gate.key_of(_fact(frame, "User-Id"))
        return Origin(_fact(frame, "Peer-Address"), key)

    def send(self, client: bytes, frames: list[bytes]) -> Delivery:
        try:
            self._socket.send_multipart([client, *frames], zmq.NOBLOCK)
        except zmq.Again:
            return Delivery.FULL
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                return Delivery.GONE
            raise
        return Delivery.SENT

    def close(self) -> None:
        """Give queued replies half a second to leave, then close."""
        self._socket.monitor(None, 0)
        self._monitor.close()
        self._socket.close()
        if self._gate is not None:
            self._gate.close()
        self._context.term()


def _fact(frame: zmq.Frame, name: str) -> str:
    """What ZeroMQ knows of the connection a frame came by; "": nothing."""
    try:
        return str(frame.get(name))
    except zmq.ZMQError:
        return ""
