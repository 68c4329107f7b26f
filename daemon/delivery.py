"""Audio on its way out: to clients by their credit, to the speaker one utterance after another.

Each admitted utterance gets its one `done` here, whatever ended it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import islice

from msgspec.structs import replace
from sambertd_client import protocol as wire

from daemon import marking
from daemon.backlog import Backlog
from daemon.device import SpeakerError
from daemon.events import Events, Post
from daemon.heard import Heard
from daemon.keys import Keys
from daemon.pace import Pace
from daemon.playback import LOST_GRACE_S, Speaker
from daemon.precedence import first_on_air
from daemon.progress import Progress
from daemon.scheduler import Scheduler
from daemon.standstill import Standstill
from daemon.stats import Stats
from daemon.stream import Finish, Stream
from daemon.transport import Delivery

log = logging.getLogger(__name__)
STANDS = "the sound card takes no samples at the moment"


class Deliverer:
    """Moves what the scheduler offers to its sinks and tells clients how it ended."""

    def __init__(self, scheduler: Scheduler, post: Post, speaker: Speaker, stats: Stats) -> None:
        self._scheduler = scheduler
        self._post = post = Backlog(post)
        self._speaker = speaker
        self._stats = stats
        self.pace = Pace()
        self._progress = Progress(post, self.pace)
        self.keys = Keys()
        self.events = Events(post)
        self._sounds: bool | None = None  # whether there was a speaker when we last looked
        self._on_air: Stream | None = None
        self._heard: Heard | None = None  # of what is on the air
        self._standstill = Standstill(speaker)
        self._tail_written = False

    @property
    def playing(self) -> bool:
        return self._on_air is not None

    @property
    def behind(self) -> bool:
        """Whether replies wait for room."""
        return len(self._post) > 0

    def reply(self, client: bytes, message: wire.Message, pcm: bytes | None = None) -> Delivery:
        """Send a message. A client that is gone, or leaves too many replies unread, is dropped.

        FULL: audio, that has to be sent again.
        """
        if pcm is None:
            delivery = self._post.insist(client, [wire.encode(message)])
        else:
            delivery = self._post.send(client, [wire.encode(message), pcm])
        if delivery is Delivery.GONE or (delivery is Delivery.FULL and pcm is None):
            self._scheduler.drop(client)
        return delivery

    def offer(self, client: bytes, message: wire.Message) -> Delivery:
        """Send a message that is no loss where the client's pipe is full."""
        return self._post.send(client, [wire.encode(message)])

    def pump(self, now: float, forget: Callable[[Stream], None]) -> None:
        """Hand over all that can be now; `forget` is told of every stream that ended."""
        for client in self._post.flush():
            self._scheduler.drop(client)
        self._scheduler.expire(now)
        for stream in self._scheduler:
            told = self._tell_marks(stream, now)
            if stream.streams and told:
                self._feed_client(stream, now)
            while stream.sink == "none" and stream.outbox and not stream.paused:
                self._scheduler.taken(stream, now)
        self._feed_speaker(now)
        self._tell_speaker()
        for stream in self._scheduler:
            self._tell_start(stream)
            self._tell_paused(stream, stream.samples)
            self._progress.tell(stream, now)
        while finished := self._scheduler.take_finished():  # a `done` may find its client gone
            for finish in finished:
                forget(finish.stream)
                self._finish(finish, now)

    def _tell_start(self, stream: Stream) -> None:
        if stream.first_audio is not None and not stream.told:
            stream.told = True
            self.events.about("started", stream)

    def _tell_speaker(self) -> None:
        state = self._speaker.state
        if self._sounds is not None and self._sounds != state.available:
            self.events.tell(
                "speaker", f"{state.device} is there" if state.available else state.reason
            )
        self._sounds = state.available

    def _tell_marks(self, stream: Stream, now: float) -> bool:
        """Whether its client knows all that is made: audio comes after the marks into it."""
        while stream.marks and not stream.paused:
            batch = list(islice(stream.marks, marking.MOST))
            delivery = self._post.send(
                stream.client, [wire.encode(marking.message(stream.id, batch))]
            )
            if delivery is Delivery.GONE:
                self._scheduler.drop(stream.client)
            elif delivery is Delivery.FULL:
                self._scheduler.block(stream, now)
            if delivery is not Delivery.SENT:
                return False
            for _ in batch:
                stream.marks.popleft()
        return True

    def _feed_client(self, stream: Stream, now: float) -> None:
        while (piece := self._scheduler.offer(stream, now)) is not None:
            both = stream.sink == "both"
            seq, at = (
                (stream.copied, stream.copied_samples) if both else (stream.seq, stream.samples)
            )
            audio = wire.Audio(id=stream.id, seq=seq, at=at, sentence=piece.sentence)
            delivery = self.reply(stream.client, audio, piece.pcm)
            if delivery is Delivery.FULL:
                self._scheduler.block(stream, now)
            if delivery is not Delivery.SENT:
                return
            self._scheduler.sent(stream, now)

    def _feed_speaker(self, now: float) -> None:
        if self._on_air is not None and (self._on_air.ended or self._on_air.paused):
            self._off_air(self._on_air, now)
        stream = self._on_air = self._on_air or self._next_on_air()
        if stream is None:
            return
        try:
            self._play(stream, now)
        except SpeakerError as error:
            self._scheduler.failed(stream, wire.SPEAKER_UNAVAILABLE, str(error))

    def _next_on_air(self) -> Stream | None:
        """The first utterance for the speaker, once it has audio."""
        mine = first_on_air(s for s in self._scheduler if not s.paused)
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
        self._tail_written = False
        self._heard = Heard(mine, self._speaker.state.latency_s)
        mine.on_air, mine.announced, mine.heard = True, False, mine.samples
        return mine

    def _off_air(self, stream: Stream, now: float) -> None:
        """It has ended, or was paused: then what was not heard goes back to its outbox."""
        heard = self._heard
        assert heard is not None, "nothing is on the air"
        heard.took(self._speaker.handed, now)
        self._speaker.cancel()
        stream.on_air, self._on_air = False, None
        stream.heard = heard.count(now)
        if not stream.ended:
            self._tell_paused(stream, self._handed(stream, heard))
            heard.take_back(now)

    def _play(self, stream: Stream, now: float) -> None:
        speaker, heard = self._speaker, self._heard
        assert heard is not None, "nothing is on the air"
        self._check_lost(stream)
        if speaker.started_at is not None:
            heard.started(speaker.started_at)
        heard.took(speaker.handed, now)
        while stream.outbox and speaker.write(stream.outbox[0].pcm):
            heard.wrote(stream.outbox[0], now)
            self._scheduler.taken(stream, now)
        if stream.starved:
            speaker.rest()
        stream.heard = heard.count(now)
        if not stream.announced and speaker.started_at is not None:
            stream.announced = True
            if stream.playing_ms is None:
                stream.first_audio = speaker.started_at
                stream.playing_ms = 1000 * (speaker.started_at - stream.admitted)
            self._standstill.begin()
            self._tell_playing(stream, heard.first)
        self._follow_card(stream, heard, now)
        if stream.made and not stream.outbox and not self._tail_written:
            self._tail_written = speaker.end()
        if self._tail_written and speaker.drained(now):
            self._on_air = None
            self._scheduler.played(stream)

    def _handed(self, stream: Stream, heard: Heard) -> int:
        """The sample that the card is to get next."""
        return min(stream.samples, heard.first + self._speaker.handed)

    def _follow_card(self, stream: Stream, heard: Heard, now: float) -> None:
        """Tell whoever moves lips that its card was lost, and where a card goes on with it."""
        if not stream.announced:
            return
        if self._standstill.begins(now):
            reason = self._speaker.state.reason or STANDS
            self._tell_held(stream, "speaker_lost", self._handed(stream, heard), reason)
        elif (went_on := self._standstill.ends(now)) is not None:
            self._tell_playing(stream, heard.went_on(*went_on))

    def _check_lost(self, stream: Stream) -> None:
        reason = self._speaker.lost_for(LOST_GRACE_S)
        if reason:
            self._scheduler.failed(stream, wire.SPEAKER_UNAVAILABLE, reason)

    def catch_up(self, stream: Stream, now: float) -> None:
        """Tell whoever took a stream over what was told before and still holds."""
        stream.progress = None
        if stream.held is not None:
            stream.held = replace(stream.held, id=stream.id)
            self.reply(stream.client, stream.held)
        elif stream.sounds and stream.announced and self._heard is not None:
            self._tell_playing(stream, self._heard.handed(now))

    def _tell_paused(self, stream: Stream, at: int) -> None:
        """Once for each pause, whoever asked for it."""
        if stream.paused_since not in (None, stream.pause_told):
            stream.pause_told = stream.paused_since
            self._tell_held(stream, "paused", at)
        elif stream.held is not None and not (stream.paused or stream.plays):
            stream.held = None  # it goes on by itself

    def _tell_held(self, stream: Stream, why: str, at: int, text: str | None = None) -> None:
        stream.held = wire.Held(id=stream.id, why=why, at=at, text=text)
        self.reply(stream.client, stream.held)

    def _tell_playing(self, stream: Stream, at: int) -> None:
        assert stream.playing_ms is not None, "it has not sounded"
        stream.held = None
        self.reply(stream.client, wire.Playing(id=stream.id, ttfa_ms=stream.playing_ms, at=at))

    def hand_over(self, stream: Stream) -> None:
        """Tell whoever asked for a stream that another request gets its replies from now on."""
        text = "another request with its key was sent; that one is answered"
        told = wire.Done(id=stream.id, why="superseded", text=text, samples=stream.samples)
        self._post.insist(stream.client, [wire.encode(told)])

    def _finish(self, finish: Finish, now: float) -> None:
        stream = finish.stream
        audio_s = stream.samples / stream.rate
        ttfa_ms = (
            None if stream.first_audio is None else 1000 * (stream.first_audio - stream.admitted)
        )
        if finish.why == "end":
            self.pace.learn(stream)
            if stream.heard is not None:
                stream.heard = stream.samples
        self._stats.count(finish.why, finish.code, stream, audio_s, ttfa_ms)
        done = wire.Done(
            id=stream.id,
            why=finish.why,
            code=finish.code,
            text=finish.text,
            samples=stream.samples,
            audio_s=audio_s,
            synth_s=stream.synth_s,
            heard_samples=stream.heard,
            ttfa_ms=ttfa_ms,
            warnings=stream.warnings.told(),
            cached=stream.cached,
        )
        self.keys.finished(stream, done, now)
        self._tell_start(stream)
        self.events.about("done", stream, finish.why, finish.code)
        self.reply(stream.client, done)
        told_s = audio_s if stream.heard is None else stream.heard / stream.rate
        log.info("%s: %s after %.2f s", stream.id, finish.code or finish.why, told_s)
