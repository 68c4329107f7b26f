"""What an import is doing, line by line, while it does it."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Lines with the seconds since the start."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream, self._start = stream or sys.stderr, time.monotonic()

    def __call__(self, what: str) -> None:
        """Say what begins now."""
        print(f"[{time.monotonic() - self._start:6.1f} s] {what}", file=self._stream, flush=True)
