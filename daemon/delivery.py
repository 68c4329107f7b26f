"""Audio on its way out: to clients by their credit, to the speaker one utterance after another.

Each admitted utterance gets its one `done` here, whatever ended it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from sambertd_client import protocol as wire

from daemon.device import SpeakerError
from daemon.playback import Speaker
from daemon.scheduler import Finish, Scheduler, Stream
from daemon.stats import Stats
from daemon.transport import Delivery

log = logging.getLogger(__name__)
LOST_GRACE_S = 5.0  # how long an utterance waits for a lost sound card


class Post(Protocol):
    """Sends frames to a client without blocking: daemon.transport.Transport."""

    def send(self, client: bytes, frames: list[bytes], /) -> Delivery: ...


class Deliverer:
    """Moves what the scheduler offers to its sinks and tells clients how it ended."""

    def __init__(self, scheduler: Scheduler, post: Post, speaker: Speaker, stats: Stats) -> None:
        self._scheduler = scheduler
        self._post = post
        self._speaker = speaker
        self._stats = stats
        self._on_air: Stream | None = None
        self._announced = False  # `playing` was sent
        self._tail_written = False

    @property
    def playing(self) -> bool:
        return self._on_air is not None

    def reply(self, client: bytes, message: wire.Message, pcm: bytes | None = None) -> Delivery:
        """Send one message. A client that is gone, or takes not even replies, is dropped."""
        frames = [wire.encode(message)] if pcm is None else [wire.encode(message), pcm]
        delivery = self._post.send(client, frames)
        if delivery is Delivery.GONE or (delivery is Delivery.FULL and pcm is None):
            self._scheduler.drop(client)
        return delivery

    def pump(self, now: float, forget: Callable[[Stream], None]) -> None:
        """Hand over all that can be now; `forget` is told of every stream that ended."""
        for stream in self._scheduler:
            if stream.sink == "client":
                self._feed_client(stream, now)
        self._feed_speaker(now)
        self._scheduler.expire(now)
        while finished := self._scheduler.take_finished():  # a `done` may find its client gone
            for finish in finished:
                forget(finish.stream)
                self._finish(finish)

    def _feed_client(self, stream: Stream, now: float) -> None:
        while (piece := self._scheduler.offer(stream, now)) is not None:
            audio = wire.Audio(
                id=stream.id, seq=stream.seq, at=stream.samples, sentence=piece.sentence
            )
            delivery = self.reply(stream.client, audio, piece.pcm)
            if delivery is Delivery.FULL:
                self._scheduler.block(stream, now)
            if delivery is not Delivery.SENT:
                return
            self._scheduler.taken(stream, now)

    def _feed_speaker(self, now: float) -> None:
        if self._on_air is not None and self._on_air.ended:
            self._speaker.cancel()
            self._on_air = None
        stream = self._on_air = self._on_air or self._next_on_air()
        if stream is None:
            return
        try:
            self._play(stream, now)
        except SpeakerError as error:
            self._scheduler.failed(stream, wire.SPEAKER_UNAVAILABLE, str(error))

    def _next_on_air(self) -> Stream | None:
        """The oldest utterance for the speaker, once it has audio."""
        mine = next((s for s in self._scheduler if s.sink == "speaker"), None)
        if mine is None:
            return None
        if mine.made and not mine.outbox:
            self._scheduler.played(mine)  # a text that makes no sound
            return None
        ready = self._speaker.ready()  # asked early: a device closed while idle opens meanwhile
        if not mine.outbox or not ready:
            self._check_lost(mine)
            return None
        self._speaker.begin(mine.rate)
        self._announced = self._tail_written = False
        return mine

    def _play(self, stream: Stream, now: float) -> None:
        speaker = self._speaker
        self._check_lost(stream)
        while stream.outbox and speaker.write(stream.outbox[0].pcm):
            self._scheduler.taken(stream, now)
        if not self._announced and speaker.started_at is not None:
            self._announced = True
            stream.first_audio = speaker.started_at
            ttfa_ms = 1000 * (speaker.started_at - stream.admitted)
            self.reply(stream.client, wire.Playing(id=stream.id, ttfa_ms=ttfa_ms))
        if stream.made and not stream.outbox and not self._tail_written:
            self._tail_written = speaker.end()
        if self._tail_written and speaker.drained(now):
            self._on_air = None
            self._scheduler.played(stream)

    def _check_lost(self, stream: Stream) -> None:
        reason = self._speaker.lost_for(LOST_GRACE_S)
        if reason:
            self._scheduler.failed(stream, wire.SPEAKER_UNAVAILABLE, reason)

    def _finish(self, finish: Finish) -> None:
        stream, stats = finish.stream, self._stats
        audio_s = stream.samples / stream.rate
        ttfa_ms = (
            None if stream.first_audio is None else 1000 * (stream.first_audio - stream.admitted)
        )
        stats.done += finish.why == "end"
        stats.cancelled += finish.why == "cancelled"
        stats.failed += finish.why == "error"
        stats.audio_s += audio_s
        stats.synth_s += stream.synth_s
        if ttfa_ms is not None:
            stats.ttfa_ms.append(ttfa_ms)
        done = wire.Done(
            id=stream.id,
            why=finish.why,
            code=finish.code,
            text=finish.text,
            samples=stream.samples,
            audio_s=audio_s,
            synth_s=stream.synth_s,
            ttfa_ms=ttfa_ms,
        )
        self.reply(stream.client, done)
        log.info("%s: %s after %.2f s", stream.id, finish.code or finish.why, audio_s)
