"""What would be said again and again is said now and then."""

from __future__ import annotations

from collections.abc import Hashable

QUIET_S = 60.0  # of the same


class Seldom:
    """Remembers what was said lately, `most` of it; while that is full, nothing new is said."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._until: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def due(self, about: Hashable, now: float) -> bool:
        """Whether this is to be said, which then counts as said. now: seconds of any one clock."""
        if now < self._until.get(about, now):
            return False
        if len(self._until) >= self._most:
            self._until = {one: until for one, until in self._until.items() if now < until}
            if len(self._until) >= self._most:
                return False
        self._until[about] = now + QUIET_S
        return True
