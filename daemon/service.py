"""Requests in, replies out: what the daemon answers to each message. No socket, no thread.

The loop (daemon/server.py) hands it frames and engine results; it drives the scheduler, the
worker and the delivery. Nothing here blocks, so cancel and status never wait for synthesis.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from sambertd_client import protocol as wire

from daemon import engine_report, reports
from daemon import worker as engine
from daemon.building import Build
from daemon.checks import check, check_length
from daemon.config import EngineConfig, Limits
from daemon.delivery import Deliverer
from daemon.job import Job
from daemon.pcm import PcmForm
from daemon.playback import Speaker
from daemon.precedence import before
from daemon.scheduler import RefusedError, Scheduler
from daemon.stats import Stats
from daemon.stream import Stream, Wish
from daemon.voices import Shelf, SpeakingVoice
from engines.style import Style

if TYPE_CHECKING:
    from daemon.resident import Resident

log = logging.getLogger(__name__)


class Service:
    """The state of the daemon as clients see it."""

    def __init__(
        self,
        limits: Limits,
        scheduler: Scheduler,
        worker: engine.Worker,
        deliverer: Deliverer,
        speaker: Speaker,
        stats: Stats,
        version: str,
        engines: EngineConfig,
        builds: Mapping[str, Build],
    ) -> None:
        self._life = reports.Life(version)
        self._limits = limits
        self._scheduler = scheduler
        self._worker = worker
        self._deliverer = deliverer
        self._speaker = speaker
        self._stats = stats
        self._engines, self._builds = engines, builds
        self._shelf = Shelf()
        self._jobs: dict[Stream, Job] = {}
        self._replaced: list[Resident] = []  # voices whose last streams are still open
        self._turn: Stream | None = None  # the stream the engine works on now

    def tell(self, detail: str) -> None:
        """What is being done, in words; from any thread."""
        self._life.detail = detail

    def ready(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._scheduler.open_limit = min(self._limits.in_work, shelf.streams)
        self._life.state, self._life.detail = "ready", "ready"
        self._deliverer.events.tell("state", "ready")

    def renew(self, resident: Resident) -> None:
        """What is begun from now on is spoken by this voice; what has begun ends on the old one."""
        name = resident.voice.info.name
        old, self._shelf.residents[name] = self._shelf.residents[name], resident
        if resident.voice is old.voice:
            return
        self._shelf.voices[name] = resident.voice
        self._deliverer.events.tell("engines", f"{name} speaks with other engines from now on")
        for stream, job in self._jobs.items():
            if job.voice is old.voice and not stream.started and not stream.has_begun:
                job.voice = resident.voice
        self._replaced.append(old)
        self._retire()

    def receive(self, client: bytes, frames: list[bytes]) -> None:
        """Answer one message, whatever it is."""
        try:
            request = wire.decode_request(frames)
        except wire.ProtocolError as error:
            self._stats.bad_messages += 1
            self._refuse(client, error.request_id, error.code, str(error))
            return
        match request:
            case wire.Say():
                self._say(client, request)
            case wire.Credit():
                self._scheduler.grant(client, request.id, request.grant)
            case wire.Append() | wire.End():
                self._append(client, request)
            case wire.Cancel():
                whose = client if request.scope == "mine" else None
                ids = self._scheduler.cancel(whose, request.target, request.priority)
                self._deliverer.reply(client, wire.Cancelled(id=request.id, ids=ids))
            case wire.Pause() | wire.Resume():
                self._hold(client, request)
            case wire.Stats():
                events, speaker = self._deliverer.events, self._speaker
                told = reports.stats(request.id, self._life, self._stats, speaker, events)
                self._deliverer.reply(client, told)
            case wire.Subscribe():
                self._subscribe(client, request)
            case wire.Unsubscribe():
                self._deliverer.events.unsubscribe(client)
            case wire.Hello():
                self._deliverer.reply(client, self._welcome(client, request.id))
            case wire.Voices():
                self._deliverer.reply(client, reports.voice_list(request.id, self._shelf))
            case wire.Status():
                self._deliverer.reply(client, self._status(request.id))
            case wire.Engines():
                report = engine_report.report(request.id, self._shelf, self._builds, self._engines)
                self._deliverer.reply(client, report)

    def take(self, result: engine.Turn) -> None:
        """Book one result of the engine."""
        stream, self._turn = self._turn, None
        assert stream is not None, "a result without an order"
        match result:
            case engine.Spoken():
                if not stream.has_begun:
                    self._deliverer.pace.learn_first(result.took_s)
                self._scheduler.spoke(stream, result.pieces, result.sentence, result.took_s)
            case engine.Starved():
                job = self._jobs.get(stream)
                if job is not None and not job.texts and job.more:
                    self._scheduler.starve(stream, result.took_s)
            case engine.Exhausted():
                self._scheduler.exhausted(stream, result.took_s)
            case engine.Failed():
                log.warning("utterance %s failed: %s (%s)", stream.id, result.text, result.code)
                self._scheduler.failed(stream, result.code, result.text)

    def step(self, now: float) -> None:
        """Deliver what is made and give the engine its next turn."""
        self._deliverer.pump(now, self._forget)
        if self._turn is None and (stream := self._scheduler.next_turn()) is not None:
            self._turn = stream
            self._worker.advance(self._jobs[stream])

    def end_all(self, code: str, text: str) -> None:
        """Every live utterance ends in this error, and its client is told."""
        self._scheduler.end_all("error", code, text)
        self._deliverer.pump(time.monotonic(), self._forget)

    def stopping(self) -> None:
        self._life.state, self._life.detail = "stopping", "shutting down"
        self._deliverer.events.tell("state", "stopping")
        self.end_all(wire.SHUTTING_DOWN, "the daemon is shutting down")

    def close(self) -> None:
        self._shelf.close()

    def engines(self) -> list[str]:
        """A line on the engines of each voice, for people."""
        return engine_report.short_lines(self._shelf, self._builds)

    @property
    def engine_busy(self) -> bool:
        return self._turn is not None

    @property
    def idle(self) -> bool:
        return len(self._scheduler) == 0

    def _say(self, client: bytes, say: wire.Say) -> None:
        self._stats.requests += 1
        try:
            voice = check(say, self._life, self._limits, self._shelf, self._speaker)
            if not self._said_before(client, say):
                self._admit(client, say, voice)
        except RefusedError as refusal:
            self._stats.refuse(refusal.code)
            self._refuse(client, say.id, refusal.code, str(refusal))

    def _admit(self, client: bytes, say: wire.Say, voice: SpeakingVoice) -> None:
        """A new utterance. Raises RefusedError."""
        now, pace = time.monotonic(), self._deliverer.pace
        form = PcmForm(voice.info.sample_rate, say.rate, say.format)
        wish = Wish(say.priority, say.queue, len(say.text), say.key, say.deadline_s)
        stream = self._scheduler.admit(client, say.id, say.sink, form.rate, say.credit, now, wish)
        stream.sample_bytes = form.sample_bytes
        style = Style(say.speaker, say.emotion, say.speed, say.pitch, say.volume)
        job = Job(voice, deque(() if say.more else (say.text,)), style, form, say.more)
        self._jobs[stream] = job
        if say.more:
            job.append(say.text)
            if not job.texts:
                self._scheduler.starve(stream)
        accepted = wire.Accepted(
            id=say.id,
            voice=voice.info.name,
            rate=form.rate,
            format=form.name,
            position=len(before(stream, self._scheduler)),
            start_s=pace.start_s(stream, self._scheduler, self._scheduler.open_limit),
            instance=self._life.instance,
        )
        if say.key is not None:
            self._deliverer.keys.remember(say.key, stream, accepted)
        self._stats.accept(stream)
        self._deliverer.reply(client, accepted)
        self._deliverer.events.about("accepted", stream)

    def _hold(self, client: bytes, request: wire.Pause | wire.Resume) -> None:
        whose = client if request.scope == "mine" else None
        events = self._deliverer.events
        if isinstance(request, wire.Pause):
            held = self._scheduler.pause(whose, request.target, time.monotonic())
            answer: wire.Message = wire.Paused(id=request.id, ids=[one.id for one in held])
        else:
            held = self._scheduler.resume(whose, request.target)
            answer = wire.Resumed(id=request.id, ids=[one.id for one in held])
        self._deliverer.reply(client, answer)
        for stream in held:
            events.about("paused" if stream.paused else "resumed", stream)

    def _subscribe(self, client: bytes, request: wire.Subscribe) -> None:
        try:
            answer = self._deliverer.events.subscribe(client, request)
        except RefusedError as refusal:
            self._refuse(client, request.id, refusal.code, str(refusal))
            return
        self._deliverer.reply(client, answer)

    def _append(self, client: bytes, request: wire.Append | wire.End) -> None:
        """More text for a live utterance, or its end."""
        stream = self._scheduler.find(client, request.target)
        job = self._jobs.get(stream) if stream is not None else None
        if stream is None or job is None or not job.more:
            text = f"no live utterance {request.target!r} of this client waits for text"
            self._refuse(client, request.id, wire.NOT_OPEN, text)
            return
        added = 0
        if isinstance(request, wire.Append):
            added = len(request.text)
            try:
                check_length(job.unspoken + added, self._limits)
            except RefusedError as refusal:
                self._refuse(client, request.id, refusal.code, str(refusal))
                return
            job.append(request.text)
        else:
            job.end()
        self._scheduler.fed(stream, added, ready=bool(job.texts) or not job.more)
        self._deliverer.reply(client, wire.Appended(id=request.id, unspoken=job.unspoken))

    def _said_before(self, client: bytes, say: wire.Say) -> bool:
        """Whether a request with this key was accepted before: then it is answered as that was.

        What a connection was to get as audio cannot be sent again: it is made anew, and only once.
        Raises RefusedError.
        """
        known = self._deliverer.keys.find(say.key, time.monotonic())
        if known is None:
            return False
        stream, again = known.stream, (client, say.id)
        if known.done is None and (stream.client, stream.id) != again:
            if stream.streams:
                self._scheduler.supersede(stream)
                return False
            self._deliverer.hand_over(stream)
            self._scheduler.adopt(stream, *again)
        elif stream.streams:
            return False
        for answer in known.answers(say.id):
            self._deliverer.reply(client, answer)
        return True

    def _welcome(self, client: bytes, request_id: str) -> wire.Welcome:
        live = [stream.id for stream in self._jobs if stream.client == client]
        return reports.welcome(request_id, self._life, self._limits, self._speaker, live)

    def _status(self, request_id: str) -> wire.StatusReport:
        lines, life, queue = self.engines(), self._life, self._scheduler
        return reports.status(
            request_id, life, self._shelf, queue, self._stats, self._speaker, lines
        )

    def _refuse(self, client: bytes, request_id: str, code: str, text: str) -> None:
        self._deliverer.reply(client, wire.Error(id=request_id, code=code, text=text))

    def _forget(self, stream: Stream) -> None:
        job = self._jobs.pop(stream)
        self._worker.close(job)
        self._retire()

    def _retire(self) -> None:
        """Close the replaced voices that have nothing more to say."""
        speaking = {id(job.voice) for job in self._jobs.values()}
        silent = [one for one in self._replaced if id(one.voice) not in speaking]
        self._replaced = [one for one in self._replaced if id(one.voice) in speaking]
        while silent:
            others = [*silent[1:], *self._replaced, *self._shelf.residents.values()]
            self._worker.retire(partial(silent.pop(0).close, others))
