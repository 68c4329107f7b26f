"""How many values were seen of which size."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple


class Counted(NamedTuple):
    """counts: values up to each of the ascending bounds and above the one before, then those above
    all. total: the values added up."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


class Histogram:
    """Counts values by size; any thread may note one."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(map(float, bounds))
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0
        self._lock = threading.Lock()

    def note(self, value: float, times: int = 1) -> None:
        with self._lock:
            self._counts[bisect_left(self._bounds, value)] += times
            self._total += times * value

    def counted(self) -> Counted:
        """So far."""
        with self._lock:
            return Counted(self._bounds, tuple(self._counts), self._total)
