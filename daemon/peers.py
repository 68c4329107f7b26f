"""Who sent a message, by what the system says of the connection; nothing here is said by the peer.

A peer on a socket file is a user of this box: the kernel tells its uid (SO_PEERCRED). A peer on TCP
is the key it has proved to have, for as long as that is allowed.
"""

from __future__ import annotations

import ipaddress
import os
import pwd
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from daemon.access import Role
from daemon.key_ring import KeyRing

_LOCAL = re.compile(r"localhost:(\d+):\d+:\d+")  # of ZeroMQ: uid, gid, pid


class Origin(NamedTuple):
    """What the transport knows of a connection."""

    address: str  # "localhost:UID:GID:PID" of a socket file, else an IP address; "": unknown
    key: str = ""  # the public key it got in with, through daemon/gate.py


@dataclass(frozen=True, slots=True)
class Peer:
    """`owner` is the same for all connections of one user: they share what they said."""

    owner: str
    role: Role


NOBODY = Peer("an unknown peer", Role.NONE)


class Peers:
    """The role of each peer. Root and the daemon's own user are admins, like those named.

    loopback: TCP from this box is let in without a key, and may speak.
    """

    def __init__(
        self, admins: Collection[int] = (), ring: KeyRing | None = None, *, loopback: bool = False
    ) -> None:
        self._users: dict[int, Peer] = {}
        self._ring = ring
        self._loopback = loopback
        self._keyed: dict[str, str] = {}  # the public keys of owners that came with one
        self.change(admins)

    def change(self, admins: Collection[int]) -> None:
        """Other admins from now on."""
        self._admins = {0, os.geteuid(), *admins}
        self._users.clear()

    def of(self, origin: Origin) -> Peer:
        local = _LOCAL.fullmatch(origin.address)
        if local is not None:
            return self._user(int(local[1]))
        if origin.key:
            return self._key(origin.key)
        if self._loopback and _is_loopback(origin.address):
            return Peer("anybody of this box", Role.SPEAK)
        return NOBODY

    def gone(self) -> list[str]:
        """Owners whose key is allowed no more, since the last call."""
        if self._ring is None or not self._keyed:
            return []
        gone = [owner for owner, key in list(self._keyed.items()) if self._key(key).owner != owner]
        for owner in gone:
            del self._keyed[owner]
        return gone

    def _key(self, public: str) -> Peer:
        key = None if self._ring is None else self._ring.find(public)
        if key is None:
            return Peer(f"key {public[:16]}", Role.NONE)
        owner = f"key {key.name} {public[:16]}"
        self._keyed[owner] = public
        return Peer(owner, Role[key.role.upper()])

    def _user(self, uid: int) -> Peer:
        peer = self._users.get(uid)
        if peer is None:
            role = Role.ADMIN if uid in self._admins else Role.SPEAK
            peer = self._users[uid] = Peer(f"user {user_name(uid)}", role)
        return peer


def user_name(uid: int) -> str:
    """Of a user of this box; the number of one that is not known by name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
