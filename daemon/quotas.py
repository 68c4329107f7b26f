"""How much one user, or one key, may ask in a time, over all of its connections. Admins may all.

A bucket fills steadily up to its size and each request takes from it; an empty one refuses, and
tells when there is enough again.
"""

from __future__ import annotations

from dataclasses import dataclass

from sambertd_client import protocol as wire

from daemon.access import Role
from daemon.config import Limits
from daemon.peers import Peer
from daemon.scheduler import RefusedError

MOST_OWNERS = 1000  # remembered; the fullest, who lose nothing by it, are forgotten first
BURST_S = 5.0  # requests of so many seconds may come at once
FREE = (wire.Credit, wire.Cancel, wire.Unsubscribe)  # they give back, and are never refused
MINUTE = 60.0


@dataclass(slots=True)
class Bucket:
    """Of `most` at most; `rate` of it come back each second."""

    rate: float
    most: float
    left: float
    at: float

    def wait_s(self, much: float, now: float) -> float:
        """Seconds until there is so much; 0: it is there."""
        self.left = min(self.most, self.left + (now - self.at) * self.rate)
        self.at = now
        missing = min(much, self.most) - self.left
        return max(0.0, missing / self.rate)

    def take(self, much: float) -> None:
        """More than there is only where it is more than there can be."""
        self.left = max(0.0, self.left - much)


class Quotas:
    """Buckets by owner: of requests, and of characters to be spoken."""

    def __init__(self, limits: Limits) -> None:
        self._owners: dict[str, tuple[Bucket, Bucket]] = {}
        self.change(limits)

    def change(self, limits: Limits) -> None:
        """Other limits from now on; everybody begins with full buckets."""
        self._limits = limits
        self._owners.clear()

    def check(self, request: wire.Message, peer: Peer, now: float) -> None:
        """Count a request of a peer. now: seconds. Raises RefusedError where it is too much."""
        if peer.role is Role.ADMIN or isinstance(request, FREE):
            return
        requests, chars = self._buckets(peer.owner, now)
        limits = self._limits
        if limits.requests_per_s:
            self._check(requests, 1, now, f"{limits.requests_per_s:g} requests a second", peer)
        much = _chars(request)
        if much and limits.chars_per_min:
            self._check(chars, much, now, f"{limits.chars_per_min} characters a minute", peer)

    def most_live(self, peer: Peer) -> int | None:
        """How many of its utterances may be live at once; None: any."""
        return None if peer.role is Role.ADMIN else self._limits.per_user

    def _check(self, bucket: Bucket, much: int, now: float, what: str, peer: Peer) -> None:
        wait_s = bucket.wait_s(much, now)
        if wait_s > 0:
            text = f"{peer.owner} has asked for more than {what}; try again in {wait_s:.1f} s"
            raise RefusedError(wire.RATE_LIMITED, text, wait_s)
        bucket.take(much)

    def _buckets(self, owner: str, now: float) -> tuple[Bucket, Bucket]:
        known = self._owners.get(owner)
        if known is None:
            if len(self._owners) >= MOST_OWNERS:
                self._forget(now)
            rate, chars = self._limits.requests_per_s, float(self._limits.chars_per_min)
            burst = max(1.0, rate * BURST_S)
            known = self._owners[owner] = (
                Bucket(rate, burst, burst, now),
                Bucket(chars / MINUTE, chars, chars, now),
            )
        return known

    def _forget(self, now: float) -> None:
        """Half of them."""

        def lack(owner: str) -> float:
            return sum(
                bucket.wait_s(bucket.most, now) for bucket in self._owners[owner] if bucket.rate
            )

        for owner in sorted(self._owners, key=lack)[: MOST_OWNERS // 2]:
            del self._owners[owner]


def _chars(request: wire.Message) -> int:
    """That are to be spoken for it."""
    match request:
        case wire.Say() | wire.Append():
            return len(request.text)
        case wire.Prefetch():
            return sum(map(len, request.texts))
    return 0
