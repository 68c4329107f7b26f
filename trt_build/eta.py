"""How far a long piece of work is, and how much longer it takes."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Eta:
    """Lines such as `[  12.3 s] 40 of 200 texts, 48 s to go` on stderr, one every few seconds.

    On a terminal each takes the place of the one before.
    """

    def __init__(
        self, what: str, total: int, done: int = 0, stream: TextIO | None = None, every_s: float = 2
    ) -> None:
        self._what, self._total, self._begun_at = what, total, done
        self._stream, self._every = stream or sys.stderr, every_s
        self._start = time.monotonic()
        self._told = self._start - every_s

    def __call__(self, done: int) -> None:
        """Say that so many are done."""
        now = time.monotonic()
        last = done == self._total
        if now - self._told < self._every and not last:
            return
        self._told = now
        new = done - self._begun_at
        left = (now - self._start) / new * (self._total - done) if new else 0.0
        to_go = f", {left:.0f} s to go" if new and not last else ""
        line = f"[{now - self._start:6.1f} s] {done} of {self._total} {self._what}{to_go}"
        if self._stream.isatty():
            print(f"\r\x1b[K{line}", end="\n" if last else "", file=self._stream, flush=True)
        else:
            print(line, file=self._stream, flush=True)
