"""Who takes the decoder's steps: every utterance its own, or all that are open in one batch.

Continuous batching (Yu et al. 2022, "Orca", calls it iteration-level scheduling): an utterance
joins before any step and leaves after any. One thread of those that wait for their utterances
takes the steps of all; it hands that on when its own is through. So an utterance that is alone
is decoded as if there were no batches, and there is no thread that outlives the streams.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from engines.acoustic import MelStream, step_together
from engines.errors import EngineError
from engines.handover import POLL_S
from engines.histogram import Histogram
from engines.session import Floats

SLOTS = 8  # utterances in one batch at most; the decoder's engines are built for as many


def batch_fill() -> Histogram:
    """Of steps of the decoder, by how many utterances shared them."""
    return Histogram(range(1, SLOTS + 1))


class Outlet(Protocol):
    """Where the frames of an utterance go."""

    @property
    def full(self) -> bool:
        """Whether its reader has enough for now."""

    def stopped(self) -> bool:
        """Whether its reader wants no more."""

    def put(self, frames: Floats, /) -> None:
        """Hand over frames (r, mels); waits while it is full."""


class Decoder(Protocol):
    """Decodes utterances, each in the thread that asks for it."""

    def decode(self, stream: MelStream, out: Outlet) -> None:
        """Put all frames of the utterance; returns when they are, or once it is stopped.

        Raises:
            EngineError: the voice is broken.
        """


class Alone:
    """Each utterance by itself: threads take their steps side by side. fill: notes each step."""

    def __init__(self, fill: Histogram | None = None) -> None:
        self._fill = fill or batch_fill()

    def decode(self, stream: MelStream, out: Outlet) -> None:
        """See `Decoder`."""
        steps = 0
        try:
            while not stream.done and not out.stopped():
                frames = stream.step()
                steps += 1
                out.put(frames)
        finally:
            self._fill.note(1, steps)


@dataclass(eq=False, slots=True)
class _Rider:
    """An utterance on board. turn: its thread may go on, to drive or, if it has ended, to leave."""

    stream: MelStream
    out: Outlet
    turn: threading.Event = field(default_factory=threading.Event)
    ended: bool = False
    error: EngineError | None = None


class Together:
    """The utterances that are open at the same time share steps, up to SLOTS in a batch.

    One that waits for its reader sits out. One that is stopped leaves before the next step. Where
    a batch fails, each of its utterances is tried alone, so that only the guilty one ends.
    fill: notes each step that was taken.
    """

    def __init__(self, fill: Histogram | None = None) -> None:
        self._fill = fill or batch_fill()
        self._lock = threading.Lock()
        self._riders: list[_Rider] = []  # the first one's thread drives
        self._joined = threading.Event()

    def decode(self, stream: MelStream, out: Outlet) -> None:
        """See `Decoder`."""
        rider = _Rider(stream, out)
        with self._lock:
            self._riders.append(rider)
            if self._riders[0] is rider:
                rider.turn.set()
        self._joined.set()
        rider.turn.wait()
        if not rider.ended:
            self._drive(rider)
        if rider.error is not None:
            raise rider.error

    def _drive(self, own: _Rider) -> None:
        """Take everybody's steps until the own utterance has ended, then let the next one drive."""
        try:
            while not own.ended:
                self._solo(own)
                self._round(own)
        finally:
            with self._lock:
                self._riders.remove(own)
                if self._riders:
                    self._riders[0].turn.set()

    def _solo(self, own: _Rider) -> None:
        """Steps without ceremony for as long as nobody else is there."""
        stream, out, steps = own.stream, own.out, 0
        try:
            while len(self._riders) == 1 and not (stream.done or out.full or out.stopped()):
                frames = stream.step()
                steps += 1
                out.put(frames)
        finally:
            self._fill.note(1, steps)

    def _round(self, own: _Rider) -> None:
        """One step of all who can take one."""
        self._joined.clear()
        with self._lock:
            riders = list(self._riders)
        for rider in riders:
            if rider.stream.done or rider.out.stopped():
                self._end(rider, own)
        ready = [rider for rider in riders if not rider.ended and not rider.out.full]
        if not ready and not own.ended:
            self._joined.wait(POLL_S)
        for batch in _batches(ready):
            self._step(batch, own)

    def _step(self, batch: list[_Rider], own: _Rider) -> None:
        try:
            steps = step_together([rider.stream for rider in batch])
        except EngineError as error:
            if len(batch) > 1:
                for rider in batch:
                    self._step([rider], own)
            else:
                batch[0].error = error
                self._end(batch[0], own)
            return
        self._fill.note(len(batch))
        for rider, frames in zip(batch, steps, strict=True):
            rider.out.put(frames)

    def _end(self, rider: _Rider, own: _Rider) -> None:
        """Let a rider go; the driver itself stays on the list until another can drive."""
        rider.ended = True
        if rider is not own:
            with self._lock:
                self._riders.remove(rider)
            rider.turn.set()


def _batches(riders: Iterable[_Rider]) -> Iterator[list[_Rider]]:
    """Riders whose windows are of one size, SLOTS at a time."""
    by_window: dict[int, list[_Rider]] = {}
    for rider in riders:
        by_window.setdefault(rider.stream.window, []).append(rider)
    for alike in by_window.values():
        for first in range(0, len(alike), SLOTS):
            yield alike[first : first + SLOTS]
