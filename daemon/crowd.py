"""How many connections a user of this box, or an address, may hold open.

ZeroMQ takes every connection it has a file for, and aborts the process when it has none left for
the next (libzmq 4.3, ipc_listener.cpp). So there are many files, and no owner gets near them.
"""

from __future__ import annotations

import logging
import os
import resource
import socket
import struct
import time
from collections import Counter
from contextlib import suppress

log = logging.getLogger(__name__)
MOST_FILES = 65536  # a flood is thinned out long before it gets there
MOST_OF_ONE = 200
MOST = 2000
SPARE_FILES = 200  # for everything but connections
LOG_EVERY_S = 60.0
_CRED = struct.Struct("3i")


def make_room() -> int:
    """Allow this process as many files as it may have; how many connections it can take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = MOST_FILES if soft == resource.RLIM_INFINITY else soft
    return max(1, min(MOST, files - SPARE_FILES))


class Crowd:
    """Connections by whose they are. The newest of too many is shut; its owner is told by that."""

    def __init__(self, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._owners: dict[int, str] = {}  # by the number of the file
        self._counts: Counter[str] = Counter()
        self._next_word = 0.0

    def __len__(self) -> int:
        return len(self._owners)

    def came(self, fd: int) -> None:
        """ZeroMQ has taken a connection."""
        self.left(fd)  # its end may have been missed
        with suppress(OSError), _socket(fd) as link:  # it may be gone again
            if not link.getsockname():
                return  # not one of ours: they are bound to what we listen on
            owner = _owner(link)
            self._owners[fd] = owner
            self._counts[owner] += 1
            if len(self) > self._most or self._counts[owner] > self._most_of_one:
                self._tell(owner)
                link.shutdown(socket.SHUT_RDWR)

    def left(self, fd: int) -> None:
        """A connection has ended."""
        owner = self._owners.pop(fd, None)
        if owner is not None:
            self._counts[owner] -= 1
            if not self._counts[owner]:
                del self._counts[owner]

    def _tell(self, owner: str) -> None:
        if time.monotonic() >= self._next_word:
            self._next_word = time.monotonic() + LOG_EVERY_S
            count = self._counts[owner]
            log.warning("too many connections, %d of them of %s: new ones are shut", count, owner)


def _socket(fd: int) -> socket.socket:
    """Raises OSError."""
    copy = os.dup(fd)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise


def _owner(link: socket.socket) -> str:
    """Raises OSError."""
    if link.family == socket.AF_UNIX:
        cred = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CRED.size)
        return f"user {_CRED.unpack(cred)[1]}"
    return str(link.getpeername()[0])
