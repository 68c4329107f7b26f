"""Somebody between a client and a daemon, who reads all that passes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def relayed(port: int, to_port: int, seen: list[bytes]) -> Iterator[None]:
    """Passes one connection to `port` on to another port of this box; `seen` gets its bytes."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, to_port, seen))
        thread.start()
        yield
        thread.join(10)
        assert not thread.is_alive()


def _serve(listener: socket.socket, to_port: int, seen: list[bytes]) -> None:
    near, _ = listener.accept()
    far = socket.create_connection(("127.0.0.1", to_port))
    ways = [threading.Thread(target=_pass, args=(*way, seen)) for way in ((near, far), (far, near))]
    for way in ways:
        way.start()
    for way in ways:
        way.join()
    near.close()
    far.close()


def _pass(source: socket.socket, target: socket.socket, seen: list[bytes]) -> None:
    try:
        while data := source.recv(65536):
            seen.append(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
