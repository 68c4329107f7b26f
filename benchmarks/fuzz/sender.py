"""One connection that sends hostile frames and reads what comes back."""

from __future__ import annotations

import random
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice

import msgpack  # type: ignore[import-untyped]
import zmq
from sambertd_client import protocol as wire

from benchmarks.fuzz.frames import Hostile

BURST = 50  # messages between two looks at what was answered
SEND_MS = 20_000
LAST_S = 20.0
LAST = "the last one"


@dataclass(slots=True)
class Sent:
    """What became of it. codes: of the errors answered; unreadable: answers that are none."""

    messages: int = 0
    replies: int = 0
    unreadable: int = 0
    not_taken: int = 0  # messages the daemon did not take in 20 s
    codes: Counter[str] = field(default_factory=Counter)


class Sender:
    """A DEALER; `attack` sends so many messages."""

    def __init__(self, endpoint: str, seed: int) -> None:
        self._endpoint, self._chance = endpoint, random.Random(seed)
        self._hostile = Hostile(seed)
        self._context = zmq.Context()
        self._socket = self._connect()
        self.sent = Sent()

    def _connect(self) -> zmq.Socket[bytes]:
        link = self._context.socket(zmq.DEALER)
        link.setsockopt(zmq.LINGER, 0)
        link.setsockopt(zmq.SNDTIMEO, SEND_MS)
        link.connect(self._endpoint)
        return link

    def attack(self, count: int) -> Sent:
        """Send; then wait until the daemon has come to the last of it."""
        for number, frames in enumerate(islice(self._hostile, count)):
            self._send(frames)
            if number % BURST == 0:
                self._read()
            if number % 1000 == 500:
                self._break_in()
        self._catch_up()
        self._context.destroy()
        return self.sent

    def _send(self, frames: list[bytes]) -> None:
        try:
            self._socket.send_multipart(frames)
            self.sent.messages += 1
        except zmq.Again:
            self.sent.not_taken += 1

    def _break_in(self) -> None:
        """Bytes that are not ZeroMQ; and what costs its sender the connection."""
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(self._endpoint.removeprefix("ipc://"))
            link.sendall(self._chance.randbytes(self._chance.randint(1, 3000)))
        other = self._connect()
        other.send_multipart(self._hostile.oversize())
        other.close(500)

    def _read(self) -> set[str]:
        """All that is here; the ids of what was a `welcome`."""
        welcomed = set()
        while self._socket.poll(0):
            frames = self._socket.recv_multipart()
            self.sent.replies += 1
            try:
                reply, _ = wire.decode_reply(frames)
            except wire.ProtocolError:
                self.sent.unreadable += 1
                continue
            if isinstance(reply, wire.Welcome):
                welcomed.add(reply.id)
            code = getattr(reply, "code", None)
            if code:
                self.sent.codes[code] += 1
        return welcomed

    def _catch_up(self) -> None:
        """Messages are read in order: an answer to the last means that all were."""
        until = time.monotonic() + LAST_S
        while time.monotonic() < until:
            self._send([msgpack.packb({"v": 1, "t": "hello", "id": LAST})])
            asked = time.monotonic()
            while time.monotonic() < asked + 1.0:  # it may be lost among too many others
                self._socket.poll(50)
                if LAST in self._read():
                    return
        self.sent.not_taken += 1


def attack(endpoint: str, seed: int, count: int) -> Sent:
    """For a process of its own."""
    return Sender(endpoint, seed).attack(count)
