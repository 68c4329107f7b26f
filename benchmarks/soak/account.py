"""What was asked and what came of it, told by all clients, each in a thread of its own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import contextmanager

from sambertd_client import RefusedError, SambertdError, SpeechError, Utterance
from sambertd_client import protocol as wire

KEPT = 20  # faults told in words


class Account:
    """Counts by kind of request. faults: in words, what nobody asked for; all are counted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.said: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.asked_for: Counter[str] = Counter()  # errors that were
        self.faults: list[str] = []
        self.fault_count = 0
        self.repeats = 0  # requests that were said twice, and spoken once
        self.first_ms: dict[str, list[float]] = {"client": [], "speaker": []}

    def begin(self, kind: str) -> None:
        """One more request of a kind."""
        with self._lock:
            self.said[kind] += 1

    def end(self, utterance: Utterance, sink: str) -> None:
        """It has had its `done`, or its client has left it."""
        with self._lock:
            self.ends["left" if utterance.done is None else utterance.done.why] += 1
            if utterance.ttfa_ms is not None and sink in self.first_ms:
                self.first_ms[sink].append(utterance.ttfa_ms)

    def repeated(self, both: bool) -> None:
        """One was sent twice, and, if both, accepted twice."""
        with self._lock:
            self.repeats += both

    def fault(self, words: str) -> None:
        """Something nobody asked for."""
        with self._lock:
            self.fault_count += 1
            self.faults += [words] if len(self.faults) < KEPT else []

    def error(self, code: str, allowed: Set[str], words: str) -> None:
        """An error: `allowed` names those that were asked for. A `busy` is an honest answer."""
        if code == wire.BUSY:
            with self._lock:
                self.refused[code] += 1
        elif code in allowed:
            with self._lock:
                self.asked_for[code] += 1
        else:
            self.fault(f"{words} [{code}]")

    @contextmanager
    def booked(self, kind: str, allowed: Set[str] = frozenset()) -> Iterator[None]:
        """Whatever goes wrong in the block is booked, and goes no further."""
        try:
            yield
        except (RefusedError, SpeechError) as error:
            self.error(error.code, allowed, f"{kind}: {error}")
        except SambertdError as error:
            self.fault(f"{kind}: {type(error).__name__}: {error}")
