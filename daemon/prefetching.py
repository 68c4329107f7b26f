"""Texts made ready ahead of their time: spoken to nobody, into the cache, when nobody else speaks.

A chunk is made only where no utterance wants the engine, so speech waits for one chunk at most.
Requests take turns, text by text. One text is open at a time, in a place of the voice's own.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from sambertd_client import protocol as wire

from daemon import worker as engine
from daemon.checks import check_length, check_state, check_voice, lexicon
from daemon.config import Limits
from daemon.delivery import Deliverer
from daemon.job import Job, Text
from daemon.markup import spoken_chars
from daemon.pcm import PcmForm
from daemon.reports import Life
from daemon.scheduler import RefusedError
from daemon.stream import Whose
from daemon.transport import Delivery
from daemon.voices import Shelf
from engines.style import Style
from engines.text.lexicon import Lexicon

MOST, MOST_OF_OWNER = 16, 8  # requests that are live; each has PREFETCH_TEXTS texts at most
PERIOD_S = 0.1  # from one word of progress to the next, at least


@dataclass(eq=False, slots=True)
class _Asked:
    """A request, and how far it is."""

    client: bytes
    owner: str
    request: wire.Prefetch
    style: Style
    words: Lexicon | None
    at: int = 0  # the text that is next
    made: int = 0
    known: int = 0
    failures: list[wire.PrefetchFailure] = field(default_factory=list)
    due: float = 0.0  # for the next word of progress


class Prefetcher:
    """The requests that are live, in the order of their turns."""

    def __init__(self, life: Life, worker: engine.Worker, deliverer: Deliverer) -> None:
        self._life, self._worker, self._deliverer = life, worker, deliverer
        self._asked: deque[_Asked] = deque()
        self._job: Job | None = None  # of the first request's text at hand
        self._fresh = False  # some of it was not in the cache
        self.turn: Job | None = None  # what the engine works on now, still of use or not

    def ask(self, client: bytes, request: wire.Prefetch, owner: str, shelf: Shelf) -> None:
        """A new request. Raises RefusedError."""
        check_state(self._life)
        if shelf.phrases is None:
            text = "no phrases are kept here; set [cache] enabled = true and restart the daemon"
            raise RefusedError(wire.NO_CACHE, text)
        check_voice(request, shelf)
        mine = sum(asked.owner == owner for asked in self._asked)
        if len(self._asked) >= MOST or mine >= MOST_OF_OWNER:
            text = f"{len(self._asked)} prefetches are live, {mine} of {owner}; ask for more "
            raise RefusedError(wire.BUSY, text + "when one is done")
        style = Style(
            request.speaker, request.emotion, request.speed, request.pitch, request.volume
        )
        asked = _Asked(client, owner, request, style, lexicon(request.lexicon))
        self._asked.append(asked)
        self._tell(asked)

    def live(self, client: bytes) -> list[str]:
        """The ids of a client's."""
        return [asked.request.id for asked in self._asked if asked.client == client]

    def chosen(self, whose: Whose, target: str | None) -> list[str]:
        """The ids of those that a cancel means; never all of somebody's: they make no sound."""
        return [asked.request.id for asked in self._owned(whose) if asked.request.id == target]

    def cancel(self, whose: Whose, ids: Collection[str] | None = None) -> list[str]:
        """End these of somebody's, None: all; the ids of those that there were."""
        chosen = [one for one in self._owned(whose) if ids is None or one.request.id in ids]
        for asked in chosen:
            self._end(asked, "cancelled")
        return [asked.request.id for asked in chosen]

    def end_all(self, code: str, text: str) -> None:
        for asked in list(self._asked):
            self._end(asked, "error", code, text)

    @property
    def waits(self) -> bool:
        """It could go on at once."""
        return bool(self._asked) and self.turn is None

    def advance(self, shelf: Shelf, limits: Limits) -> None:
        """Go on, now that nobody else wants the engine."""
        if not self.waits:
            return
        job = self._job = self._job or self._begin(self._asked[0], shelf, limits)
        if job is not None:
            self.turn = job
            self._worker.advance(job)

    def take(self, result: engine.Turn) -> None:
        """Book one result of the engine."""
        self.turn = None
        if result.job is not self._job:  # it was given up meanwhile
            return
        asked = self._asked[0]
        match result:
            case engine.Spoken():
                self._fresh |= not result.known
            case engine.Failed():
                self._settle(asked, result.code, result.text)
            case _:
                self._settle(asked)

    def leave(self, voices: Collection[int]) -> None:
        """Speak on none of these voices any more; the text at hand begins anew on its successor.

        voices: by `id`.
        """
        if self._job is not None and id(self._job.voice) in voices:
            self._close()

    def _owned(self, whose: Whose) -> list[_Asked]:
        return [
            asked
            for asked in self._asked
            if whose.client in (None, asked.client) and whose.owner in (None, asked.owner)
        ]

    def _begin(self, asked: _Asked, shelf: Shelf, limits: Limits) -> Job | None:
        """The job of the text at hand; None: it needed none."""
        self._fresh, request = False, asked.request
        text = request.texts[asked.at]
        try:
            voice = check_voice(request, shelf)  # it may have been unloaded since
            check_length(spoken_chars(text, request.markup), limits)
        except RefusedError as refusal:
            self._settle(asked, refusal.code, str(refusal))
            return None
        style, markup, words = asked.style, request.markup, asked.words
        if voice.recall(text, style, markup=markup, marks=(), lexicon=words) is not None:
            self._settle(asked)
            return None
        form = PcmForm(voice.info.sample_rate)
        return Job(voice, deque([Text(text, 0)]), style, form, markup=markup, lexicon=words)

    def _settle(self, asked: _Asked, code: str | None = None, text: str = "") -> None:
        """The text at hand is done with, code and text: why it cannot be; on to the next turn."""
        self._close()
        if code is not None:
            failure = wire.PrefetchFailure(index=asked.at, code=code, text=text)
            asked.failures.append(failure)
        elif self._fresh:
            asked.made += 1
        else:
            asked.known += 1
        asked.at += 1
        if asked.at == len(asked.request.texts):
            self._end(asked, "end")
            return
        self._asked.rotate(-1)
        self._tell(asked)

    def _tell(self, asked: _Asked) -> None:
        """How far it is, where there is room for that; whoever is gone needs nothing."""
        now = time.monotonic()
        if now < asked.due:
            return
        asked.due = now + PERIOD_S
        told = wire.Prefetching(
            id=asked.request.id,
            texts=len(asked.request.texts),
            done=asked.at,
            made=asked.made,
            known=asked.known,
            instance=self._life.instance,
        )
        if self._deliverer.offer(asked.client, told) is Delivery.GONE:
            self._remove(asked)

    def _end(
        self, asked: _Asked, why: wire.Why, code: str | None = None, text: str | None = None
    ) -> None:
        self._remove(asked)
        told = wire.Prefetched(
            id=asked.request.id,
            why=why,
            code=code,
            text=text,
            made=asked.made,
            known=asked.known,
            failures=asked.failures,
        )
        self._deliverer.reply(asked.client, told)

    def _remove(self, asked: _Asked) -> None:
        if self._asked[0] is asked:
            self._close()
        self._asked.remove(asked)

    def _close(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            self._worker.close(job)
