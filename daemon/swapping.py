"""The next voice, made while the present one speaks: on a thread of its own, beside the engine's.

Its priority is left alone. The threads that ONNX Runtime starts for a session inherit that of the
thread that makes it, and they must speak in time later.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from daemon.voices import check_name
from engines.errors import EngineError, VoiceError

if TYPE_CHECKING:
    from daemon.resident import Resident

log = logging.getLogger(__name__)
LOOK_S = 1.0  # how often the store is looked at
Renew = Callable[["Resident"], "Resident"]
Load = Callable[[Path], "Resident"]
Look = Callable[[list["Resident"]], "Callable[[], None] | None"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Renewed:
    """The store has other engines. new: the same voice where they were refused."""

    old: Resident
    new: Resident


Made = Renewed | Callable[[], None]  # what the loop shall do, where it is no successor


class Swapper:
    """Watches the store, and hands over a successor for every resident it has news for.

    It does what else takes too long for the loop, one after the other: it loads packs, reads files.
    """

    def __init__(self, wake: Callable[[], None], look_s: float = LOOK_S) -> None:
        self._wake, self._look_s = wake, look_s
        self._residents: dict[str, Resident] = {}
        self._made: deque[Made] = deque()
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self, residents: Mapping[str, Resident], renew: Renew, look: Look) -> None:
        """Begin to watch. `renew` returns the same object where there is no news.

        look: at what else may have changed, with all residents; what the loop shall do then.
        """
        self._residents = dict(residents)
        self._thread = threading.Thread(
            target=self._run, args=(renew, look), name="swapper", daemon=True
        )
        self._thread.start()

    def look(self) -> None:
        """Look now rather than within the second: a build has ended."""
        self._orders.put(lambda: None)

    def run(self, work: Callable[[], T], told: Callable[[T], None]) -> None:
        """Do some work on this thread; the loop is to call `told` with what came of it."""
        self._orders.put(lambda: self._do(work, told))

    def fetch(
        self, folder: Path, load: Load, told: Callable[[Resident | EngineError], None]
    ) -> None:
        """Load a pack, and watch it from then on."""
        self.run(lambda: self._fetch(folder, load), told)

    def forget(self, name: str) -> None:
        """Do not watch a voice any more."""
        self._orders.put(lambda: self._forget(name))

    def made(self) -> Iterator[Made]:
        """What was made since the last call."""
        while self._made:
            yield self._made.popleft()

    def stop(self, timeout_s: float) -> bool:
        """Finish what is being loaded and end; False: it did not end in time."""
        self._stopping = True
        self.look()
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    @property
    def residents(self) -> list[Resident]:
        """Those that are watched; on this thread."""
        return list(self._residents.values())

    def _run(self, renew: Renew, look: Look) -> None:
        while not self._stopping:
            self._look_around(look)
            for name in list(self._residents):
                self._renew(name, renew)
            self._obey(time.monotonic() + self._look_s)

    def _look_around(self, look: Look) -> None:
        try:
            news = look(self.residents)
        except Exception:
            log.exception("the lexicons could not be looked at")
            return
        if news is not None:
            self._made.append(news)
            self._wake()

    def _obey(self, until: float) -> None:
        """Carry out orders, or wait for one until then."""
        try:
            order = self._orders.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return
        order()
        del order  # and what it held, before we wait again

    def _do(self, work: Callable[[], T], told: Callable[[T], None]) -> None:
        if not self._stopping:
            self._made.append(partial(told, work()))
            self._wake()

    def _fetch(self, folder: Path, load: Load) -> Resident | EngineError:
        try:
            return self._watched(load(folder))
        except EngineError as error:
            return error
        except Exception as error:
            log.exception("voice %s could not be loaded", folder)
            reason = f"loading {folder} failed ({type(error).__name__}: {error})"
            return VoiceError("voice_broken", f"{reason}; copy or export the voice again")

    def _watched(self, resident: Resident) -> Resident:
        """The same, watched in the place of what its folder held. Raises VoiceError."""
        name, folder = resident.pack.file.name, resident.pack.folder
        check_name(name, resident, self._residents)
        others = self._residents.items()
        self._residents = {key: one for key, one in others if one.pack.folder != folder}
        self._residents[name] = resident
        return resident

    def _forget(self, name: str) -> None:
        self._residents.pop(name, None)

    def _renew(self, name: str, renew: Renew) -> None:
        resident = self._residents[name]
        try:
            successor = renew(resident)
        except Exception:
            log.exception("no new engines for %s: the store could not be looked at", name)
            return
        if successor is not resident:
            self._residents[name] = successor
            self._made.append(Renewed(resident, successor))
            self._wake()
