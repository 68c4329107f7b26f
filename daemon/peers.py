"""Who sent a message, by what the system says of the connection; nothing here is said by the peer.

A peer on a socket file is a user of this box: the kernel tells its uid (SO_PEERCRED).
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from daemon.access import Role

_LOCAL = re.compile(r"localhost:(\d+):\d+:\d+")  # of ZeroMQ: uid, gid, pid


class Origin(NamedTuple):
    """What the transport knows of a connection."""

    address: str  # "localhost:UID:GID:PID" of a socket file, else an IP address; "": unknown


@dataclass(frozen=True, slots=True)
class Peer:
    """`owner` is the same for all connections of one user: they share what they said."""

    owner: str
    role: Role


NOBODY = Peer("an unknown peer", Role.NONE)


class Peers:
    """The role of each peer. Root and the daemon's own user are admins, like those named."""

    def __init__(self, admins: Collection[int] = ()) -> None:
        self._known: dict[int, Peer] = {}
        self.change(admins)

    def change(self, admins: Collection[int]) -> None:
        """Other admins from now on."""
        self._admins = {0, os.geteuid(), *admins}
        self._known.clear()

    def of(self, origin: Origin) -> Peer:
        local = _LOCAL.fullmatch(origin.address)
        return NOBODY if local is None else self._user(int(local[1]))

    def _user(self, uid: int) -> Peer:
        peer = self._known.get(uid)
        if peer is None:
            role = Role.ADMIN if uid in self._admins else Role.SPEAK
            peer = self._known[uid] = Peer(f"user {user_name(uid)}", role)
        return peer


def user_name(uid: int) -> str:
    """Of a user of this box; the number of one that is not known by name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
