"""The socket under both clients."""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import zmq

from .credentials import Handshake, credentials
from .endpoint import bad_endpoint, client_endpoint
from .errors import KeyFileError
from .keyfile import AnyPath
from .line import Line

S = TypeVar("S", bound="zmq.Socket[Any]")
# Of both ends: a peer whose box or network has gone is noticed within seconds. By TCP's own means,
# for libzmq's heartbeats abort the process where one falls due after the peer has gone and before
# its last messages are read (https://github.com/zeromq/libzmq/issues/4364). The end of a socket
# file's peer is told by the kernel.
KEEPALIVE = (
    (zmq.TCP_KEEPALIVE, 1),
    (zmq.TCP_KEEPALIVE_IDLE, 1),  # s
    (zmq.TCP_KEEPALIVE_INTVL, 1),  # s
    (zmq.TCP_KEEPALIVE_CNT, 3),
    (zmq.TCP_MAXRT, 3000),  # ms
)
OPTIONS = (
    *KEEPALIVE,
    (zmq.LINGER, 500),
    (zmq.SNDHWM, 64),
    (zmq.RECONNECT_IVL, 50),
    (zmq.RECONNECT_IVL_MAX, 500),
)


class Connection(ABC, Generic[S]):
    """A DEALER that is connected to one daemon, and what is known of its requests."""

    def __init__(
        self,
        context: zmq.Context[S],
        endpoint: str | None,
        timeout: float,
        server_key: str | None,
        key_file: AnyPath | None,
        wait_s: float,
    ) -> None:
        self.endpoint = endpoint or client_endpoint()
        self._handshake = Handshake()
        shaking = self._handshake
        self._line = Line(
            self.endpoint, timeout, self._put, shaking.failure, wait_s, shaking.losses
        )
        try:
            given = credentials(self.endpoint, server_key, key_file)
        except KeyFileError:
            context.term()
            raise
        self._context = context
        self._socket = context.socket(zmq.DEALER)
        for option, value in OPTIONS:
            self._socket.setsockopt(option, value)
        if given is not None:
            given.apply(self._socket)
        shaken = self.endpoint.startswith("tcp://")
        self._handshake.watch(self._socket, given, shaken=shaken)
        weakref.finalize(self, _let_go, self._socket, self._handshake)
        try:
            self._socket.connect(self.endpoint)
        except zmq.ZMQError as error:
            self._hang_up()
            self._context.term()
            raise bad_endpoint(self.endpoint, str(error)) from error

    @property
    def timeout(self) -> float:
        """Seconds the daemon may stay silent."""
        return self._line.timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._line.timeout = seconds

    @property
    def closed(self) -> bool:
        """Whether it was closed: all it is asked for raises NoDaemonError, with the code closed."""
        return self._line.closed

    def _hang_up(self) -> None:
        self._line.close()
        self._handshake.close()
        self._socket.close()

    def _new_id(self) -> str:
        return self._line.new_id()

    @abstractmethod
    def _put(self, frame: bytes) -> bool:
        """Send a frame; whether there was room for it."""


def _let_go(socket: zmq.Socket[Any], handshake: Handshake) -> None:
    """Of a client that nobody closed: its context would wait for open sockets for ever."""
    if not socket.closed:
        handshake.close()
        zmq.Socket.close(socket, linger=0)  # an asyncio socket's own wants its loop
