"""Who was refused for who he is or how much he asks, in the log, and not for every message."""

from __future__ import annotations

import logging

from sambertd_client import protocol as wire

from daemon.seldom import Seldom

log = logging.getLogger(__name__)
TOLD = (wire.NOT_ALLOWED, wire.RATE_LIMITED)
MOST = 1000  # owners and codes that are remembered


class Refusals:
    """A line for an owner and a code, and then none for a while. Handshakes: `daemon.gate`."""

    def __init__(self) -> None:
        self._seldom = Seldom(MOST)

    def note(self, owner: str, code: str, text: str, now: float) -> None:
        """A refusal, now in seconds of any clock."""
        if code in TOLD and self._seldom.due((owner, code), now):
            log.warning("%s was refused: %s (%s)", owner, text, code)
