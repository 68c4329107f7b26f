"""Requests in, replies out: what the daemon answers to each message. No socket, no thread.

The loop (daemon/server.py) hands it frames and engine results; it drives the scheduler, the
worker and the delivery. Nothing here blocks, so cancel and status never wait for synthesis.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from sambertd_client import protocol as wire

from daemon import engine_report
from daemon import worker as engine
from daemon.building import Build
from daemon.config import EngineConfig, Limits
from daemon.delivery import Deliverer
from daemon.playback import Speaker
from daemon.scheduler import RefusedError, Scheduler, Stream
from daemon.stats import Stats
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
        self.state: wire.State = "loading"
        self.detail = "loading voices"
        self._limits = limits
        self._scheduler = scheduler
        self._worker = worker
        self._deliverer = deliverer
        self._speaker = speaker
        self._stats = stats
        self._version = version
        self._engines, self._builds = engines, builds
        self._shelf = Shelf()
        self._jobs: dict[Stream, engine.Job] = {}
        self._replaced: list[Resident] = []  # voices whose last streams are still open
        self._turn: Stream | None = None  # the stream the engine works on now
        self._started = time.monotonic()
        self._instance = os.urandom(8).hex()

    def ready(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._scheduler.open_limit = min(self._limits.in_work, shelf.streams)
        self.state, self.detail = "ready", "ready"

    def renew(self, resident: Resident) -> None:
        """What is begun from now on is spoken by this voice; what has begun ends on the old one."""
        name = resident.voice.info.name
        old, self._shelf.residents[name] = self._shelf.residents[name], resident
        if resident.voice is old.voice:
            return
        self._shelf.voices[name] = resident.voice
        for stream, job in self._jobs.items():
            if job.voice is old.voice and not stream.started:
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
            case wire.Cancel():
                whose = client if request.scope == "mine" else None
                ids = self._scheduler.cancel(whose, request.target)
                self._deliverer.reply(client, wire.Cancelled(id=request.id, ids=ids))
            case wire.Hello():
                self._deliverer.reply(client, self._welcome(client, request.id))
            case wire.Voices():
                self._deliverer.reply(client, self._voice_list(request.id))
            case wire.Status():
                self._deliverer.reply(client, self._status(request.id))
            case wire.Engines():
                report = engine_report.report(request.id, self._shelf, self._builds, self._engines)
                self._deliverer.reply(client, report)

    def take(self, result: engine.Spoken | engine.Exhausted | engine.Failed) -> None:
        """Book one result of the engine."""
        stream, self._turn = self._turn, None
        assert stream is not None, "a result without an order"
        match result:
            case engine.Spoken():
                self._scheduler.spoke(stream, result.pieces, result.sentence, result.took_s)
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
        self.state, self.detail = "stopping", "shutting down"
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
            voice = self._checked(say)
            before = len(self._scheduler)
            info, now = voice.info, time.monotonic()
            stream = self._scheduler.admit(
                client, say.id, say.sink, info.sample_rate, say.credit, now
            )
        except RefusedError as refusal:
            self._stats.refused += 1
            self._refuse(client, say.id, refusal.code, str(refusal))
            return
        style = Style(say.speaker, say.emotion, say.speed, say.pitch, say.volume)
        self._jobs[stream] = engine.Job(voice, say.text, style)
        accepted = wire.Accepted(
            id=say.id,
            voice=info.name,
            rate=info.sample_rate,
            position=before,
            instance=self._instance,
        )
        self._deliverer.reply(client, accepted)

    def _checked(self, say: wire.Say) -> SpeakingVoice:
        """The voice for a request that can be met. Raises RefusedError."""
        if self.state == "loading":
            raise RefusedError(
                wire.NOT_READY, f"the daemon is {self.detail}; try again in a second"
            )
        if self.state == "stopping":
            raise RefusedError(wire.SHUTTING_DOWN, "the daemon is shutting down")
        if not say.text.strip():
            raise RefusedError(wire.TEXT_EMPTY, "there is no text to speak")
        if len(say.text) > self._limits.text_chars:
            length, most = len(say.text), self._limits.text_chars
            text = f"the text has {length} characters, at most {most} go in one request; split it"
            raise RefusedError(wire.TEXT_TOO_LONG, text)
        voices = self._shelf.voices
        voice = voices.get(say.voice) if say.voice else next(iter(voices.values()))
        if voice is None:
            raise _unknown(wire.UNKNOWN_VOICE, "voice", say.voice, voices)
        if say.speaker is not None and say.speaker not in voice.info.speakers:
            raise _unknown(wire.UNKNOWN_SPEAKER, "speaker", say.speaker, voice.info.speakers)
        if say.emotion not in voice.info.emotions:
            raise _unknown(wire.UNKNOWN_EMOTION, "emotion", say.emotion, voice.info.emotions)
        if say.sink == "speaker" and not self._speaker.state.available:
            raise RefusedError(wire.SPEAKER_UNAVAILABLE, self._speaker.state.reason)
        return voice

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

    def _welcome(self, client: bytes, request_id: str) -> wire.Welcome:
        limits = self._limits
        return wire.Welcome(
            id=request_id,
            server="sambertd",
            server_version=self._version,
            instance=self._instance,
            protocol=(wire.PROTOCOL_MIN, wire.PROTOCOL_MAX),
            state=self.state,
            formats=[wire.FORMAT],
            sinks=["client", "speaker"] if self._speaker.state.available else ["client"],
            limits=wire.Limits(
                text_chars=limits.text_chars,
                in_work=limits.in_work,
                waiting=limits.waiting,
                frame_bytes=wire.MAX_FRAME_BYTES,
                credit=wire.MAX_CREDIT,
                stall_s=limits.stall_s,
            ),
            live=[stream.id for stream in self._jobs if stream.client == client],
        )

    def _voice_list(self, request_id: str) -> wire.VoiceList:
        default = next(iter(self._shelf.voices), "")
        entries = [
            wire.VoiceEntry(
                name=info.name,
                language=info.language,
                licence=info.licence,
                sample_rate=info.sample_rate,
                speakers=list(info.speakers),
                emotions=list(info.emotions),
                default=info.name == default,
            )
            for info in (voice.info for voice in self._shelf.voices.values())
        ]
        broken = [
            wire.BrokenVoice(path=b.path, code=b.code, text=b.text) for b in self._shelf.broken
        ]
        return wire.VoiceList(id=request_id, voices=entries, broken=broken)

    def _status(self, request_id: str) -> wire.StatusReport:
        stats, speaker, sound = self._stats, self._speaker, self._speaker.state
        return wire.StatusReport(
            id=request_id,
            state=self.state,
            detail=self.detail,
            server_version=self._version,
            pid=os.getpid(),
            uptime_s=time.monotonic() - self._started,
            voices=list(self._shelf.voices),
            broken_voices=len(self._shelf.broken),
            in_work=len(self._scheduler) - self._scheduler.waiting,
            waiting=self._scheduler.waiting,
            requests=stats.requests,
            done=stats.done,
            cancelled=stats.cancelled,
            failed=stats.failed,
            refused=stats.refused,
            bad_messages=stats.bad_messages,
            audio_s=stats.audio_s,
            synth_s=stats.synth_s,
            ttfa_ms_p50=stats.ttfa_ms_p50(),
            engines=self.engines(),
            speaker=wire.SpeakerStatus(
                available=sound.available,
                device=sound.device,
                rate=sound.rate,
                latency_ms=1000 * sound.latency_s,
                underruns=speaker.underruns,
                reopened=speaker.reopened,
                reason=sound.reason,
            ),
        )


def _unknown(code: str, kind: str, name: str | None, known: Iterable[str]) -> RefusedError:
    return RefusedError(code, f"no {kind} {name!r}; choose of: {', '.join(known)}")
