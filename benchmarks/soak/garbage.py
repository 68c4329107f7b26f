"""What comes from nobody's client: garbage on the socket, now and then."""

from __future__ import annotations

import socket
from collections.abc import Callable

import zmq

from benchmarks.fuzz.frames import Frames, Hostile
from benchmarks.soak.clients import Desk


class Garbage:
    """Sends what no request is, so that it cannot mean anything to others."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.chance = desk, desk.chance
        self._hostile = Hostile(desk.chance.getrandbits(32))
        self.sent = 0

    def run(self) -> None:
        """Until the soak is over; each connection for some seconds."""
        while not self.desk.stopped.is_set():
            context = zmq.Context()
            link = context.socket(zmq.DEALER)
            link.setsockopt(zmq.LINGER, 0)
            link.setsockopt(zmq.SNDTIMEO, 1000)
            link.connect(self.desk.endpoint)
            for _ in range(self.chance.randint(1, 100)):
                self._send(link)
                self.desk.nap(0.1)
            context.destroy()
            self._knock()

    def _send(self, link: zmq.Socket[bytes]) -> None:
        hostile = self._hostile
        kinds: list[Callable[[], Frames]] = [
            *[hostile.noise] * 5,
            hostile.nested,
            hostile.many_parts,
            hostile.huge_claims,
        ]
        kind = hostile.oversize if self.chance.random() < 0.02 else self.chance.choice(kinds)
        try:
            link.send_multipart(kind())
            self.sent += 1
        except zmq.Again:
            return

    def _knock(self) -> None:
        """Bytes that are not ZeroMQ."""
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(self.desk.endpoint.removeprefix("ipc://"))
            link.sendall(self.chance.randbytes(1000))
