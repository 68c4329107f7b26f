"""How a client shows a daemon over TCP who it is, and why a daemon did not let it in."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import zmq

from .errors import KeyFileError
from .keyfile import AnyPath, checked_public, read_key

HANDSHAKES = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
EVENT = struct.Struct("=Hi")  # zmq_socket_monitor(3); pyzmq's own parser imports asyncio
SERVER_KEY, KEY_FILE = "SAMBERTD_SERVER_KEY", "SAMBERTD_KEY_FILE"


@dataclass(frozen=True)
class Credentials:
    """Keys as 64 hexadecimal digits."""

    server: str
    public: str
    secret: str

    def apply(self, socket: Any) -> None:
        """Before it connects: from then on all of it is encrypted (CURVE)."""
        socket.setsockopt(zmq.CURVE_SERVERKEY, bytes.fromhex(self.server))
        socket.setsockopt(zmq.CURVE_PUBLICKEY, bytes.fromhex(self.public))
        socket.setsockopt(zmq.CURVE_SECRETKEY, bytes.fromhex(self.secret))


def credentials(
    endpoint: str,
    server_key: str | None = None,
    key_file: AnyPath | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Credentials | None:
    """For this endpoint, from the arguments, else the environment; None: none are needed or given.

    A socket file needs none: the kernel tells the daemon who connects. Raises KeyFileError.
    """
    if not endpoint.startswith("tcp://"):
        return None
    key_file = key_file or environ.get(KEY_FILE)
    server_key = server_key or environ.get(SERVER_KEY)
    if not key_file:
        if server_key:
            raise KeyFileError(
                "the daemon's key is given, but none of this client; make one with "
                f"`sambertctl keys new NAME`, and name it with key_file, --key-file or {KEY_FILE}"
            )
        return None
    key = read_key(key_file, secret=True)
    server = server_key or key.server
    if not server:
        raise KeyFileError(
            f"{key_file} does not name the daemon's key; give what `sambertctl keys server` prints "
            f"there as server_key, --server-key or {SERVER_KEY}"
        )
    return Credentials(checked_public(server), key.public, key.secret)


class Handshake:
    """Whether a socket gets in, and how often it was cut off."""

    def __init__(self) -> None:
        self._losses = 0
        self._socket: Any = None
        self._monitor: Any = None
        self._given: Credentials | None = None
        self._last = 0

    def watch(self, socket: Any, given: Credentials | None, *, shaken: bool) -> None:
        """Before it connects. shaken: it may be refused."""
        address = f"inproc://handshake-{id(self)}"
        socket.monitor(address, zmq.EVENT_DISCONNECTED | (HANDSHAKES if shaken else 0))
        self._socket, self._given = socket, given
        self._monitor = zmq.Socket(socket.context, zmq.PAIR)  # blocking, also of an asyncio context
        self._monitor.setsockopt(zmq.LINGER, 0)
        self._monitor.connect(address)

    def failure(self) -> str:
        """Why the last try to get in failed, and what helps; "": it did not fail."""
        self._look()
        if self._last in (0, zmq.EVENT_HANDSHAKE_SUCCEEDED):
            return ""
        if self._given is None:
            return (
                "the daemon wants keys: make one with `sambertctl keys new NAME`, let it be "
                f"allowed there, and name it with key_file, --key-file or {KEY_FILE}"
            )
        if self._last == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return (
                "the daemon does not allow the key of this client; on its box: "
                f"sudo sambertctl keys allow {self._given.public} --name NAME"
            )
        return (
            "no encrypted connection could be made: the daemon's key is another one (what "
            "`sambertctl keys server` prints on its box), or it takes no keys there"
        )

    def losses(self) -> int:
        """How often a connection has ended."""
        self._look()
        return self._losses

    def _look(self) -> None:
        if self._monitor is None:
            return
        while self._monitor.getsockopt(zmq.EVENTS) & zmq.POLLIN:
            event, _ = EVENT.unpack(self._monitor.recv_multipart(zmq.NOBLOCK)[0])
            if event == zmq.EVENT_DISCONNECTED:
                self._losses += 1
            else:
                self._last = event

    def close(self) -> None:
        if self._monitor is not None:
            self._socket.monitor(None, 0)
            self._monitor.close()
            self._monitor = None
