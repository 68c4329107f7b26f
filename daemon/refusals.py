"""Who was refused for who he is or how much he asks, in the log, and not for every message."""

from __future__ import annotations

import logging

from sambertd_client import protocol as wire

log = logging.getLogger(__name__)
TOLD = (wire.NOT_ALLOWED, wire.RATE_LIMITED)
QUIET_S = 60.0
MOST = 1000  # owners and codes that are remembered


class Refusals:
    """A line for an owner and a code, and then none for a minute; see `key_ring` for handshakes."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], float] = {}

    def note(self, owner: str, code: str, text: str, now: float) -> None:
        """A refusal, now in seconds of any clock."""
        if code not in TOLD or now - self._told.get((owner, code), -QUIET_S) < QUIET_S:
            return
        if len(self._told) >= MOST:
            self._told = {key: at for key, at in self._told.items() if now - at < QUIET_S}
        if len(self._told) < MOST:
            self._told[owner, code] = now
            log.warning("%s was refused: %s (%s)", owner, text, code)
