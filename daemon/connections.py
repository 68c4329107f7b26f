"""Which client came by which connection, and who has gone.

ZeroMQ tells of connections by their files, of messages by the client and the file. A message may be
read after its connection has ended, and then its file may be another's already.
"""

from __future__ import annotations

GIVEN = b"\0"  # how the names begin that ROUTER gives; others were chosen


class Connections:
    """Open ones by the number of their file. The caller tells all that comes, in its order."""

    def __init__(self) -> None:
        self._clients: dict[int, bytes] = {}
        self._closed: set[int] = set()
        self._gone: list[bytes] = []

    def came(self, fd: int) -> None:
        """A connection was taken."""
        self._closed.discard(fd)

    def left(self, fd: int) -> None:
        """A connection has ended."""
        self._closed.add(fd)
        client = self._clients.pop(fd, None)
        if client is not None:
            self._gone.append(client)

    def knows(self, fd: int, client: bytes) -> bool:
        """It is this client's for sure: what was not told yet cannot change that."""
        return self._clients.get(fd) == client and client.startswith(GIVEN)

    def sent(self, fd: int, client: bytes) -> bool:
        """A client's message was read; whether its connection is still there."""
        if fd in self._closed:
            return False
        other = self._clients.get(fd, client)
        if _is_older(client, other):
            return False
        if _is_older(other, client):
            self._gone.append(other)
        self._clients[fd] = client
        return True

    def lost(self, client: bytes) -> None:
        """What this client sent last has been handled, and its connection is not there."""
        self._gone.append(client)

    def gone(self) -> list[bytes]:
        """Clients whose connection has ended since the last call."""
        gone, self._gone = self._gone, []
        return gone


def _is_older(one: bytes, other: bytes) -> bool:
    """Names that ROUTER gives are a zero byte and a number that counts up, and around.

    Those that clients chose tell nothing.
    """
    if not (one.startswith(GIVEN) and other.startswith(GIVEN)) or one == other:
        return False
    ahead = int.from_bytes(other[1:], "big") - int.from_bytes(one[1:], "big")
    return ahead % 2**32 < 2**31
