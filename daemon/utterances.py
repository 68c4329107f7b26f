"""The live utterances: admitted, continued, held, on voices that may be renewed meanwhile."""

from __future__ import annotations

import logging
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace
from sambertd_client import protocol as wire

from daemon import marking, pieces
from daemon import worker as engine
from daemon.checks import check, lexicon
from daemon.config import Limits
from daemon.delivery import Deliverer
from daemon.job import Job, Text
from daemon.markup import spoken_chars
from daemon.outlook import Outlook
from daemon.pcm import PcmForm
from daemon.playback import Speaker
from daemon.precedence import before
from daemon.prefetching import Prefetcher
from daemon.reports import Life
from daemon.scheduler import RefusedError, Scheduler
from daemon.speaking_voice import SpeakingVoice
from daemon.stats import Stats
from daemon.stream import Stream, Whose, Wish
from daemon.tone import Tone
from daemon.voices import Shelf
from engines.style import Style

if TYPE_CHECKING:
    from daemon.resident import Resident

log = logging.getLogger(__name__)


class Utterances:
    """A job of the engine for each stream of the scheduler. What it is asked is answered here."""

    def __init__(
        self,
        life: Life,
        limits: Limits,
        scheduler: Scheduler,
        worker: engine.Worker,
        deliverer: Deliverer,
        speaker: Speaker,
        stats: Stats,
    ) -> None:
        self.shelf = Shelf()
        self.turn: Stream | None = None  # the stream the engine works on now
        self._life, self.limits, self._stats = life, limits, stats
        self._scheduler, self._worker = scheduler, worker
        self._deliverer, self._speaker = deliverer, speaker
        self._jobs: dict[Stream, Job] = {}
        self._replaced: list[Resident] = []  # voices whose last streams are still open
        self.prefetcher = Prefetcher(life, worker, deliverer)

    def live(self, client: bytes) -> list[str]:
        """The ids of a client's."""
        mine = [stream.id for stream in self._jobs if stream.client == client]
        return mine + self.prefetcher.live(client)

    def say(self, client: bytes, say: wire.Say, owner: str, most: int | None = None) -> None:
        """A new utterance, or one that was said before. Raises RefusedError.

        most: of its owner that may be live.
        """
        self._stats.requests += 1
        self._check_id(client, say.id)
        voice = check(say, self._life, self.limits, self.shelf, self._speaker)
        key = None if say.key is None else f"{owner} {say.key}"  # nobody takes over another's
        if not self._said_before(client, say, key):
            self._admit(client, say, voice, key, owner, most)

    def _check_id(self, client: bytes, request_id: str) -> None:
        """Raises RefusedError."""
        if request_id in self.prefetcher.live(client) or self._scheduler.find(client, request_id):
            text = f"id {request_id!r} is still in use by a live request; choose a new one"
            raise RefusedError(wire.DUPLICATE_ID, text)

    def append(self, client: bytes, request: wire.Append | wire.End) -> None:
        """More text for a live utterance, or its end. Raises RefusedError."""
        stream = self._scheduler.find(client, request.target)
        job = self._jobs.get(stream) if stream is not None else None
        if stream is None or job is None or not job.more:
            text = f"no live utterance {request.target!r} of this client waits for text"
            raise RefusedError(wire.NOT_OPEN, text)
        if isinstance(request, wire.Append):
            pieces.extend(self._scheduler, stream, job, request.text, self.limits)
        else:
            pieces.complete(self._scheduler, stream, job)
        self._deliverer.reply(client, wire.Appended(id=request.id, unspoken=job.unspoken))

    def hold(self, client: bytes, request: wire.Pause | wire.Resume, owner: str) -> None:
        whose, events = Whose.of(request.scope, client, owner), self._deliverer.events
        if isinstance(request, wire.Pause):
            held = self._scheduler.pause(whose, request.target, time.monotonic())
            answer: wire.Message = wire.Paused(id=request.id, ids=[one.id for one in held])
        else:
            held = self._scheduler.resume(whose, request.target)
            answer = wire.Resumed(id=request.id, ids=[one.id for one in held])
        self._deliverer.reply(client, answer)
        for stream in held:
            events.about("paused" if stream.paused else "resumed", stream)

    def prefetch(self, client: bytes, request: wire.Prefetch, owner: str) -> None:
        """Texts to be made ready when nobody speaks. Raises RefusedError."""
        self._check_id(client, request.id)
        self.prefetcher.ask(client, request, owner, self.shelf)

    def cancel(self, client: bytes, request: wire.Cancel, owner: str) -> None:
        whose = Whose.of(request.scope, client, owner)
        ids = self._scheduler.cancel(whose, request.target, request.priority)
        ahead = self.prefetcher.chosen(whose, request.target)
        self._deliverer.reply(client, wire.Cancelled(id=request.id, ids=ids + ahead))
        self.prefetcher.cancel(whose, ahead)

    def left(self, client: bytes) -> None:
        """A connection has ended. Without a key nobody can go on with its texts: they are over."""
        self._scheduler.drop(client)
        self.prefetcher.cancel(Whose(client))
        for stream, job in self._jobs.items():
            if stream.client == client and job.more and stream.wish.key is None:
                pieces.complete(self._scheduler, stream, job)

    def banish(self, owner: str) -> list[str]:
        """All that an owner has asked for ends; the ids."""
        whose = Whose(owner=owner)
        return self._scheduler.cancel(whose, None) + self.prefetcher.cancel(whose)

    def take(self, result: engine.Turn) -> None:
        """Book one result of the engine."""
        if result.job is self.prefetcher.turn:
            self.prefetcher.take(result)
            return
        stream, self.turn = self.turn, None
        assert stream is not None, "a result without an order"
        self._book(stream, result)

    def _book(self, stream: Stream, result: engine.Turn) -> None:
        match result:
            case engine.Spoken():
                if not stream.has_begun and not result.known:
                    self._deliverer.pace.learn_first(result.took_s)
                stream.learn(result.pieces, result.known)
                self._scheduler.spoke(
                    stream, result.pieces, result.sentence, result.took_s, result.marks
                )
            case engine.Starved():
                job = self._jobs.get(stream)
                if job is not None and not job.texts and job.more:
                    self._scheduler.starve(stream, result.took_s)
            case engine.Exhausted():
                self._scheduler.exhausted(stream, result.took_s)
            case engine.Failed():
                log.warning("utterance %s failed: %s (%s)", stream.id, result.text, result.code)
                self._scheduler.failed(stream, result.code, result.text)

    def take_known(self) -> None:
        """Take a chunk of what needs no turn of the engine."""
        for stream in self._scheduler.at_hand():
            self._book(stream, engine.step(self._jobs[stream]))

    def advance(self) -> None:
        """Give the engine its next turn. Those that have ended must be forgotten before.

        What begins may need the place in its voice of one of them.
        """
        if self.turn is None and (stream := self._scheduler.next_turn()) is not None:
            self.turn = stream
            self._worker.advance(self._jobs[stream])
        self.take_known()
        if self.turn is None:
            self.prefetcher.advance(self.shelf, self.limits)

    @property
    def has_more(self) -> bool:
        """Another `advance` would get on, with nothing new to be waited for."""
        idle = self.turn is None and self.prefetcher.waits
        return idle or bool(self._scheduler.at_hand())

    @property
    def engine_busy(self) -> bool:
        return self.turn is not None or self.prefetcher.turn is not None

    def renew(self, old: Resident, new: Resident) -> None:
        """The same voice on other engines, unless it was taken away or replaced meanwhile."""
        name = old.pack.file.name
        if self.shelf.residents.get(name) is not old:
            if new.voice is not old.voice:
                self._replaced.append(new)
                self._retire()
        elif new.voice is old.voice:
            self.shelf.residents[name] = new
        else:
            self._deliverer.events.tell("engines", f"{name} speaks with other engines from now on")
            self.put(new)

    def put(self, resident: Resident) -> bool:
        """What is begun from now on is spoken by this voice; what has begun ends on the old one.

        Whether there was an old one.
        """
        old = self.shelf.put(resident)
        replaced = {id(one.voice) for one in old}
        for stream, job in self._jobs.items():
            waits = not stream.started and not stream.has_begun
            if waits and id(job.voice) in replaced and job.suits(resident.voice):
                job.voice = resident.voice
        self._replaced += old
        self._retire()
        return bool(old)

    def remove(self, name: str) -> int:
        """No more is begun on this voice; how many utterances were, and end on it."""
        old = self.shelf.take(name)
        live = sum(job.voice is old.voice for job in self._jobs.values())
        self._replaced.append(old)
        self._retire()
        return live

    def forget(self, stream: Stream) -> None:
        job = self._jobs.pop(stream)
        self._worker.close(job)
        self._retire()

    def _admit(
        self,
        client: bytes,
        say: wire.Say,
        voice: SpeakingVoice,
        key: str | None,
        owner: str,
        most: int | None,
    ) -> None:
        """A new utterance. Raises RefusedError."""
        now = time.monotonic()
        words = lexicon(say.lexicon)
        form = PcmForm(voice.info.sample_rate, say.rate, say.format)
        chars, kinds = spoken_chars(say.text, say.markup), frozenset(say.marks)
        wish = Wish(
            say.priority, say.queue, chars, key, say.deadline_s, kinds, say.progress, owner, most
        )
        stream = self._scheduler.admit(client, say.id, say.sink, form.rate, say.credit, now, wish)
        stream.sample_bytes = form.sample_bytes
        style = Style(say.speaker, say.emotion, say.speed, say.pitch, say.volume)
        texts = deque(() if say.more else (Text(say.text, 0),))
        timed = kinds | marking.WORDS if stream.plays else kinds
        speaking = Tone(voice) if say.tone else voice
        job = Job(speaking, texts, style, form, say.cache, say.more, say.markup, words, timed)
        job.warnings = stream.warnings
        self._jobs[stream] = job
        stream.known = stream.started = job.recall()
        stream.open = say.more
        if say.more:
            job.append(say.text)
            if not job.texts:
                self._scheduler.starve(stream)
        accepted = wire.Accepted(
            id=say.id,
            voice=voice.info.name,
            rate=form.rate,
            format=form.name,
            position=0,
            instance=self._life.instance,
        )
        accepted = self._placed(accepted, stream)
        if key is not None:
            self._deliverer.keys.remember(key, stream, accepted)
        self._stats.accept(stream)
        self._deliverer.reply(client, accepted)
        self._deliverer.events.about("accepted", stream)

    def _placed(self, accepted: wire.Accepted, stream: Stream) -> wire.Accepted:
        """What goes before it now, and when it will be heard."""
        live = self._scheduler
        begun = stream.first_audio is not None or (stream.known and not stream.plays)
        return replace(
            accepted,
            id=stream.id,
            position=0 if begun else len(before(stream, live)),
            start_s=self._outlook.start_s(stream, live),
        )

    @property
    def _outlook(self) -> Outlook:
        pace, speaker = self._deliverer.pace, self._speaker
        places, spare = self._scheduler.open_limit, self._scheduler.spare
        return Outlook(pace, places, spare, speaker.state.latency_s, speaker.wake_s)

    def _said_before(self, client: bytes, say: wire.Say, key: str | None) -> bool:
        """Whether a request with this key was accepted before: then it is answered for that one.

        What a connection was to get as audio cannot be sent again: it is made anew, and only once.
        Raises RefusedError.
        """
        now = time.monotonic()
        known = self._deliverer.keys.find(key, now)
        if known is None:
            return False
        stream, again = known.stream, (client, say.id)
        if known.done is None and (stream.client, stream.id) != again:
            if stream.streams:
                self._scheduler.supersede(stream)
                return False
            self._deliverer.hand_over(stream)
            self._scheduler.adopt(stream, *again)
            self._deliverer.reply(client, self._placed(known.accepted, stream))
            self._deliverer.catch_up(stream, now)
            return True
        if stream.streams:
            return False
        for answer in known.answers(say.id):
            self._deliverer.reply(client, answer)
        return True

    def _retire(self) -> None:
        """Close the replaced voices that have nothing more to say."""
        self.prefetcher.leave({id(one.voice) for one in self._replaced})
        speaking = {id(job.voice) for job in self._jobs.values()}
        silent = [one for one in self._replaced if id(one.voice) not in speaking]
        self._replaced = [one for one in self._replaced if id(one.voice) in speaking]
        while silent:
            others = [*silent[1:], *self._replaced, *self.shelf.residents.values()]
            self._worker.retire(partial(silent.pop(0).close, others))
