"""One admitted utterance: what was asked, what is made of it, and how far its audio has come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from sambertd_client.protocol import Held, Policy, Priority, Progress, Scope, Sink, Why

from daemon.warned import Warnings
from engines.marks import SpeechMark

MOST_BEHIND = 1024  # pieces a client may be behind the speaker, with sink="both"
OUTBOX_CHUNKS = 8  # made ahead of the sink while nobody waits; else at most the whole text's audio


class Word(NamedTuple):
    """The samples of a word, from the first to the one after the last."""

    start: int
    end: int


class Piece(NamedTuple):
    pcm: bytes
    sentence: int


@dataclass(frozen=True, slots=True)
class Wish:
    """How an utterance shall be treated beside others."""

    priority: Priority = "message"
    queue: Policy = "append"
    chars: int = 0  # of its text
    key: str | None = None
    deadline_s: float | None = None  # for its first audio, after it was admitted
    marks: frozenset[str] = frozenset()  # the kinds its client wants
    progress: bool = False  # whether its client is told how far it is
    owner: str = ""  # whose it is, over all connections of a user or key
    most: int | None = None  # that may be live of its owner


@dataclass(eq=False, slots=True)
class Stream:
    """Times are seconds of the caller's clock; counts are of samples at `rate`."""

    client: bytes
    id: str
    sink: Sink
    rate: int
    credit: int
    admitted: float
    wish: Wish = field(default_factory=Wish)
    postponed: bool = False  # a progress that found the speaker in use: see daemon/precedence.py
    on_air: bool = False  # the speaker plays it now
    announced: bool = False  # `playing` was sent, for this time on the air
    playing_ms: float | None = None  # from `say` to its first sound on the speaker
    told: bool = False  # the event that it has started was sent
    paused_since: float | None = None
    pause_told: float | None = None  # the `paused_since` that its client knows of
    held: Held | None = None  # `held` was sent, and it has not gone on
    sample_bytes: int = 2
    outbox: deque[Piece] = field(default_factory=deque)
    copies: deque[Piece] = field(default_factory=deque)  # for the client, with sink="both"
    copied: int = 0  # copies sent
    left_behind: bool = False  # its client gets no more of them
    copied_samples: int = 0
    marks: deque[SpeechMark] = field(default_factory=deque)  # that its client is to be sent
    words: deque[Word] = field(default_factory=deque)  # for the speaker, those still to be heard
    open: bool = False  # its text is not complete
    appended: int = 0  # characters that came after it was admitted
    starved: bool = False  # all its text is made, and more is to come
    starved_since: float | None = None
    known: bool = False  # all of it is at hand: it needs no place in the engine and no turn
    started: bool = False  # has a place in the engine, or has had it to the end
    made: bool = False  # the engine has nothing more to give
    ended: bool = False
    turn: int = 0
    seq: int = 0  # pieces taken
    samples: int = 0  # samples taken
    sentence: int = 0  # of the piece last taken
    progress: Progress | None = None  # the last one told
    progress_due: float = 0.0  # when the next may be told
    progress_told: int = 0
    heard: int | None = None  # samples that have sounded, where the speaker plays it
    synth_s: float = 0.0
    made_bytes: int = 0  # of PCM that came from the engine,
    known_bytes: int = 0  # and of that, what it had kept from earlier
    first_audio: float | None = None
    blocked_since: float | None = None
    warnings: Warnings = field(default_factory=Warnings)

    def know(self, marks: Iterable[SpeechMark]) -> None:
        """What is said when, of what comes next."""
        for mark in marks:
            if mark.kind in self.wish.marks:
                self.marks.append(mark)
            if mark.kind == "word" and self.plays:
                self.words.append(Word(mark.start, mark.end))

    @property
    def has_room(self) -> bool:
        return len(self.outbox) < OUTBOX_CHUNKS

    @property
    def paused(self) -> bool:
        return self.paused_since is not None

    @property
    def sounds(self) -> bool:
        """The speaker plays it now."""
        return self.on_air and not self.paused

    @property
    def plays(self) -> bool:
        """The speaker plays it."""
        return self.sink in ("speaker", "both")

    @property
    def outlives(self) -> bool:
        """It goes on without its client: it is heard, or may be asked for again by its key."""
        return self.plays or (self.sink == "none" and self.wish.key is not None)

    @property
    def streams(self) -> bool:
        """Its client gets the audio."""
        return self.sink in ("client", "both")

    @property
    def waits(self) -> bool:
        """It could be begun, or gone on with after a lack of text."""
        return self.has_room and not (self.started or self.starved or self.paused)

    def is_late(self, now: float) -> bool:
        """Its deadline has passed without any audio."""
        deadline_s = self.wish.deadline_s
        silent = self.first_audio is None
        return deadline_s is not None and silent and now - self.admitted >= deadline_s

    def leave_behind(self) -> None:
        """Its client gets no more of what the speaker plays."""
        self.copies.clear()
        self.left_behind = True

    def learn(self, pieces: tuple[bytes, ...], known: bool) -> None:
        """Count what came from the engine."""
        size = sum(map(len, pieces))
        self.made_bytes += size
        self.known_bytes += size if known else 0

    @property
    def cached(self) -> float:
        """The share of its audio so far that was kept from earlier, 0 to 1."""
        return self.known_bytes / self.made_bytes if self.made_bytes else 0.0

    @property
    def has_begun(self) -> bool:
        """Some of its audio was made."""
        return self.seq + len(self.outbox) > 0


class Finish(NamedTuple):
    """How a stream ended; code and text with why="error"."""

    stream: Stream
    why: Why
    code: str | None = None
    text: str | None = None


class Whose(NamedTuple):
    """Streams of one connection, of one owner; None: of any."""

    client: bytes | None = None
    owner: str | None = None

    @staticmethod
    def of(scope: Scope, client: bytes, owner: str) -> Whose:
        """What a peer means by a scope."""
        return Whose(client if scope == "mine" else None, owner if scope == "user" else None)

    def owns(self, stream: Stream) -> bool:
        return self.client in (None, stream.client) and self.owner in (None, stream.wish.owner)
