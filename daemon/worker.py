"""The engine thread: it loads the voices, then advances one utterance by one chunk per order.

It sees queues, never sockets. The server decides what comes next (daemon/scheduler.py); here is
only the doing. An EngineError ends one utterance; any other exception ends the daemon.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from sambertd_client.protocol import TEXT_EMPTY, TEXT_UNREADABLE

from daemon.job import Job
from daemon.marking import placed
from daemon.memory import trim
from daemon.pcm import pcm_s16le as pcm_s16le
from daemon.speaking_voice import AudioChunk
from daemon.voices import Shelf
from engines.errors import EngineError, TextError, VoiceError
from engines.marks import SpeechMark
from engines.text.sentence import Unread

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    shelf: Shelf


@dataclass(frozen=True, slots=True)
class Unusable:
    error: VoiceError


@dataclass(frozen=True, slots=True)
class Spoken:
    """One step's outcome: pieces of PCM of at most MAX_CHUNK samples; engine seconds; marks.

    known: they were kept from earlier, and not made.
    """

    job: Job
    pieces: tuple[bytes, ...]
    sentence: int
    took_s: float
    known: bool = False
    marks: tuple[SpeechMark, ...] = ()


@dataclass(frozen=True, slots=True)
class Exhausted:
    job: Job
    took_s: float


@dataclass(frozen=True, slots=True)
class Starved:
    """All text that has come is spoken, and there is more to come."""

    job: Job
    took_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    job: Job
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Crashed:
    error: BaseException


Turn = Spoken | Starved | Exhausted | Failed  # what comes of one step
Result = Loaded | Unusable | Turn | Crashed


class Worker:
    """Runs orders one after the other on its thread and wakes the loop for each result."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._orders: queue.SimpleQueue[Callable[[], Result | None] | None] = queue.SimpleQueue()
        self._results: deque[Result] = deque()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.beat = time.monotonic()  # when the last step began or ended

    def start(self, load: Callable[[], Shelf]) -> None:
        self._orders.put(lambda: _load(load))
        self._thread.start()

    def advance(self, job: Job) -> None:
        """Order the next chunk of a job. Exactly one result follows."""
        self.beat = time.monotonic()
        self._orders.put(lambda: step(job))

    def close(self, job: Job) -> None:
        """Order the end of a job: its stream is closed and its memory freed. No result."""
        job.cancelled = True
        self._orders.put(lambda: _close(job))

    def retire(self, close: Callable[[], None]) -> None:
        """Order the end of a voice, all of whose jobs were ordered to end. No result."""
        self._orders.put(lambda: _retire(close))
        self._orders.put(trim)  # once the order above, and all it held, is gone

    def results(self) -> Iterator[Result]:
        """What came out since the last call."""
        while self._results:
            yield self._results.popleft()

    def stop(self, timeout_s: float) -> bool:
        """Finish the step at hand and end the thread; False: it did not end in time."""
        self._orders.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while self._step():
            pass

    def _step(self) -> bool:
        """Carry out one order, and hold on to nothing of it; False: it was the last."""
        order = self._orders.get()
        if order is None:
            return False
        try:
            result = order()
        except BaseException as error:
            log.exception("the engine failed")
            self._results.append(Crashed(error))
            self._wake()
            return False
        self.beat = time.monotonic()
        if result is not None:
            self._results.append(result)
            self._wake()
        return True


def _load(load: Callable[[], Shelf]) -> Result:
    try:
        return Loaded(load())
    except VoiceError as error:
        return Unusable(error)


def step(job: Job) -> Turn:
    """The next chunk of a job, here and now."""
    started = time.monotonic()
    more = job.more  # asked first: the last text is there before this changes
    try:
        chunk = None if job.cancelled else _next_chunk(job)
    except EngineError as error:
        return Failed(job, error.code, str(error))
    took_s = time.monotonic() - started
    if chunk is None:
        if more and not job.cancelled:
            return Starved(job, took_s)
        tail = () if job.cancelled else job.form.tail()
        last = Spoken(job, tail, job.sentence, took_s, job.known)
        return last if tail else Exhausted(job, took_s)
    if not np.isfinite(chunk.pcm).all():
        text = "the voice made samples that are not numbers; please report the text and the voice"
        return Failed(job, "internal", text)
    job.sentence, job.known = job.base + chunk.sentence, chunk.known
    marks = tuple(placed(chunk.marks, job))
    job.made += len(chunk.pcm)
    return Spoken(job, job.form.pieces(chunk.pcm), job.sentence, took_s, job.known, marks)


def _next_chunk(job: Job) -> AudioChunk | None:
    """Of the text at hand or the next; None: there is no more text now. Raises EngineError."""
    while True:
        if job.chunks is None and not _begin_text(job):
            return None
        assert job.chunks is not None
        chunk = next(job.chunks, None)
        job.note()
        if chunk is not None:
            return chunk
        job.chunks, job.base = None, job.sentence + 1


def _begin_text(job: Job) -> bool:
    """Begin the next text that has words; False: there is none. Raises EngineError.

    Of texts in pieces one may have none, a lone quotation mark, say, or none that can be read:
    that is no error.
    """
    while job.texts:
        text, job.text_start = job.texts.popleft()
        job.spoken += len(text)
        job.before = job.made
        try:
            plan = job.voice.plan(
                text,
                job.style,
                job.phrases,
                markup=job.markup,
                marks=job.kinds,
                lexicon=job.lexicon,
            )
        except TextError as error:
            in_pieces = job.more or job.texts or job.base
            if not in_pieces or error.code not in (TEXT_EMPTY, TEXT_UNREADABLE):
                raise
            if error.code == TEXT_UNREADABLE:
                lost = Unread("character_unreadable", text, 0, len(text))
                job.warnings.take([lost], job.text_start)
            continue
        job.unread, job.noted = plan.unread, 0
        job.chunks = iter(job.voice.stream(plan, lambda: job.cancelled))
        return True
    return False


def _retire(close: Callable[[], None]) -> None:
    try:
        close()
    except Exception:  # the voices that speak are none the worse for it
        log.exception("a replaced voice could not be closed")


def _close(job: Job) -> None:
    chunks, job.chunks = job.chunks, None
    close = getattr(chunks, "close", None)  # a generator ends its threads here
    if close is not None:
        close()
