"""The next voice, made while the present one speaks: on a thread of its own, beside the engine's.

Its priority is left alone. The threads that ONNX Runtime starts for a session inherit that of the
thread that makes it, and they must speak in time later.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.resident import Resident

log = logging.getLogger(__name__)
LOOK_S = 1.0  # how often the store is looked at
Renew = Callable[["Resident"], "Resident"]


class Swapper:
    """Watches the store and hands over a successor for every resident it has news for."""

    def __init__(self, wake: Callable[[], None], look_s: float = LOOK_S) -> None:
        self._wake, self._look_s = wake, look_s
        self._residents: dict[str, Resident] = {}
        self._made: deque[Resident] = deque()
        self._look = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self, residents: Mapping[str, Resident], renew: Renew) -> None:
        """Begin to watch. `renew` returns the same object where there is no news."""
        self._residents = dict(residents)
        self._thread = threading.Thread(
            target=self._run, args=(renew,), name="swapper", daemon=True
        )
        self._thread.start()

    def look(self) -> None:
        """Look now rather than within the second: a build has ended."""
        self._look.set()

    def made(self) -> Iterator[Resident]:
        """Successors since the last call; the same voice where engines were refused."""
        while self._made:
            yield self._made.popleft()

    def stop(self, timeout_s: float) -> bool:
        """Finish what is being loaded and end; False: it did not end in time."""
        self._stopping = True
        self._look.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    def _run(self, renew: Renew) -> None:
        while not self._stopping:
            for name in self._residents:
                self._renew(name, renew)
            self._look.wait(self._look_s)
            self._look.clear()

    def _renew(self, name: str, renew: Renew) -> None:
        resident = self._residents[name]
        try:
            successor = renew(resident)
        except Exception:
            log.exception("no new engines for %s: the store could not be looked at", name)
            return
        if successor is not resident:
            self._residents[name] = successor
            self._made.append(successor)
            self._wake()
