"""Who gets in over TCP: answers ZeroMQ's question about each handshake (ZAP, rfc.zeromq.org 27).

A connection that got in is marked with its key and a secret of this process: ZeroMQ hands over
properties that peers claim of themselves too, but none of them knows that secret.
"""

from __future__ import annotations

import logging
import os
import time

import zmq

from daemon.key_ring import KeyRing
from daemon.seldom import Seldom

log = logging.getLogger(__name__)
DOMAIN = b"sambertd"
ENDPOINT = "inproc://zeromq.zap.01"
MOST_REFUSALS = 100  # remembered


class Gate:
    """Lets in those whose key is in the ring. Without it, or where it fails, nobody gets in."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], ring: KeyRing) -> None:
        self.socket = context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(ENDPOINT)
        self._ring = ring
        self._secret = os.urandom(16).hex()
        self._seldom = Seldom(MOST_REFUSALS)

    def guard(self, socket: zmq.Socket[bytes], server_secret: str) -> None:
        """What a socket binds from now on takes encrypted connections through this gate only."""
        for option, value in (
            (zmq.ZAP_DOMAIN, DOMAIN),
            (zmq.ZAP_ENFORCE_DOMAIN, 1),  # no handler, no entry
            (zmq.CURVE_SERVER, 1),
            (zmq.CURVE_SECRETKEY, bytes.fromhex(server_secret)),
        ):
            socket.setsockopt(option, value)

    def answer(self) -> None:
        """Answer all questions that are here now."""
        while True:
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            middle = frames.index(b"")
            version, number, domain, address, _, mechanism, *rest = frames[middle + 1 :]
            public = rest[0].hex() if mechanism == b"CURVE" and rest else ""
            key = self._ring.find(public) if domain == DOMAIN else None
            if key is None:
                self._tell(address.decode("ascii", "replace").removeprefix("::ffff:"), public)
            verdict = (b"400", b"this key is not allowed", b"")
            if key is not None:
                verdict = (b"200", b"", f"{self._secret}:{public}".encode())
            reply = [*frames[: middle + 1], version, number, *verdict, b""]
            self.socket.send_multipart(reply, zmq.NOBLOCK)

    def key_of(self, user_id: str) -> str:
        """The public key that a connection got in with; "": it did not come through this gate."""
        secret, _, public = user_id.partition(":")
        return public if secret == self._secret else ""

    def close(self) -> None:
        self.socket.close()

    def _tell(self, address: str, public: str) -> None:
        if self._seldom.due((address, public), time.monotonic()):
            log.warning(
                "refused at %s: key %s... is not allowed", address, public[:16] or "without"
            )
