"""Who is admitted, whose turn it is, and how each utterance ends. Pure policy: no IO, no clock.

An admitted `Stream` waits, is worked on by turns, and ends exactly once: it appears in
`take_finished()` once and never again. Audio lies in a stream's outbox until its sink takes it.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from sambertd_client.protocol import BUSY, CLIENT_STALLED, DUPLICATE_ID, MAX_CREDIT, Sink, Why

OUTBOX_CHUNKS = 8  # made ahead of the sink while nobody waits; else at most the whole text's audio


class RefusedError(Exception):
    """A request that is not admitted; `code` is one of the protocol's."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Piece(NamedTuple):
    pcm: bytes
    sentence: int


class Finish(NamedTuple):
    """How a stream ended; code and text with why="error"."""

    stream: Stream
    why: Why
    code: str | None = None
    text: str | None = None


@dataclass(eq=False, slots=True)
class Stream:
    """One admitted utterance. Times are seconds of the caller's clock."""

    client: bytes
    id: str
    sink: Sink
    rate: int
    credit: int
    admitted: float
    outbox: deque[Piece] = field(default_factory=deque)
    started: bool = False  # has had a turn
    made: bool = False  # the engine has nothing more to give
    ended: bool = False
    turn: int = 0
    seq: int = 0  # pieces taken
    samples: int = 0  # samples taken
    synth_s: float = 0.0
    first_audio: float | None = None
    blocked_since: float | None = None

    @property
    def has_room(self) -> bool:
        return len(self.outbox) < OUTBOX_CHUNKS


class Scheduler:
    """Streams by (client, id), in the order of their admission."""

    def __init__(self, in_work: int, waiting: int, stall_s: float) -> None:
        self.open_limit = in_work  # streams the engines have open at once
        self._capacity = in_work + waiting
        self._stall_s = stall_s
        self._streams: dict[tuple[bytes, str], Stream] = {}
        self._finished: list[Finish] = []
        self._turns = itertools.count(1)

    def __len__(self) -> int:
        return len(self._streams)

    def __iter__(self) -> Iterator[Stream]:
        return iter(list(self._streams.values()))

    @property
    def waiting(self) -> int:
        """Admitted streams that have had no turn yet."""
        return sum(not stream.started for stream in self._streams.values())

    def admit(
        self, client: bytes, request_id: str, sink: Sink, rate: int, credit: int, now: float
    ) -> Stream:
        """A new stream, last in the queue. Raises RefusedError."""
        if (client, request_id) in self._streams:
            text = f"id {request_id!r} is still in use by a live request; choose a new one"
            raise RefusedError(DUPLICATE_ID, text)
        if len(self._streams) >= self._capacity:
            count = len(self._streams)
            text = f"{count} utterances are in work or waiting; try again when one is done"
            raise RefusedError(BUSY, text)
        stream = Stream(client, request_id, sink, rate, min(credit, MAX_CREDIT), now)
        self._streams[client, request_id] = stream
        return stream

    def next_turn(self) -> Stream | None:
        """The stream whose next chunk the engine shall make now; asked while no turn is under way.

        A stream that waits is begun as soon as one of the `open_limit` places is free. Else: first
        audio first, then those with room in their outbox, the speaker (it runs dry) before clients,
        then whoever waited longest. While somebody waits for a place, a full outbox is no reason to
        pause: who has a place goes on to its end, so a slow client holds up nobody.
        """
        opened = [s for s in self._streams.values() if s.started and not s.made]
        fresh = next((s for s in self._streams.values() if not s.started), None)
        if fresh is not None and len(opened) < self.open_limit:
            return self._turn(fresh)
        ready = [s for s in opened if fresh is not None or s.has_room]
        return self._turn(min(ready, key=_urgency)) if ready else None

    def spoke(
        self, stream: Stream, pieces: tuple[bytes, ...], sentence: int, took_s: float
    ) -> None:
        """The engine made audio in this stream's turn; it is dropped if the stream has ended."""
        stream.synth_s += took_s
        if not stream.ended:
            stream.outbox.extend(Piece(pcm, sentence) for pcm in pieces)

    def exhausted(self, stream: Stream, took_s: float) -> None:
        """The engine has made the last of it; a client's stream ends when it has been taken."""
        stream.made = True
        stream.synth_s += took_s
        self._end_if_taken(stream)

    def failed(self, stream: Stream, code: str, text: str) -> None:
        """This stream cannot go on; the others can."""
        self._end(stream, "error", code, text)

    def grant(self, client: bytes, request_id: str, credit: int) -> None:
        """Room for more audio messages. Unknown ids are ignored: the stream may just have ended."""
        stream = self._streams.get((client, request_id))
        if stream is not None:
            stream.credit = min(stream.credit + credit, MAX_CREDIT)

    def offer(self, stream: Stream, now: float) -> Piece | None:
        """The piece its sink may take next, if any: a client needs credit for it."""
        if stream.ended or not stream.outbox:
            return None
        if stream.sink == "client" and stream.credit < 1:
            self.block(stream, now)
            return None
        return stream.outbox[0]

    def block(self, stream: Stream, now: float) -> None:
        """Its client takes nothing at the moment; after stall_s that ends it, see `expire`."""
        if stream.blocked_since is None:
            stream.blocked_since = now

    def taken(self, stream: Stream, now: float) -> None:
        """The piece last offered has gone to the sink."""
        piece = stream.outbox.popleft()
        stream.blocked_since = None
        stream.first_audio = now if stream.first_audio is None else stream.first_audio
        stream.seq += 1
        stream.samples += len(piece.pcm) // 2
        if stream.sink == "client":
            stream.credit -= 1
        self._end_if_taken(stream)

    def played(self, stream: Stream) -> None:
        """The speaker has played the last sample of a stream that was made and taken."""
        self._end(stream, "end")

    def cancel(self, client: bytes | None, request_id: str | None) -> list[str]:
        """End the streams of a client (None: of all) with this id (None: any); their ids."""
        chosen = [
            s
            for s in self._streams.values()
            if client in (None, s.client) and request_id in (None, s.id)
        ]
        for stream in chosen:
            self._end(stream, "cancelled")
        return [stream.id for stream in chosen]

    def drop(self, client: bytes) -> None:
        """A client is gone: what was for it ends; what it said to the speaker is still heard."""
        for stream in self:
            if stream.client == client and stream.sink == "client":
                self._end(stream, "cancelled")

    def end_all(self, why: Why, code: str | None = None, text: str | None = None) -> None:
        for stream in self:
            self._end(stream, why, code, text)

    def expire(self, now: float) -> None:
        """End the streams whose client has taken nothing for stall_s seconds."""
        for stream in self:
            since = stream.blocked_since
            if since is not None and now - since >= self._stall_s:
                text = f"no audio was taken for {self._stall_s:g} s; grant credit as you consume"
                self._end(stream, "error", CLIENT_STALLED, text)

    def take_finished(self) -> list[Finish]:
        """Streams that ended since the last call, each exactly once."""
        finished, self._finished = self._finished, []
        return finished

    def _turn(self, stream: Stream) -> Stream:
        stream.started = True
        stream.turn = next(self._turns)
        return stream

    def _end_if_taken(self, stream: Stream) -> None:
        if stream.made and not stream.outbox and stream.sink == "client":
            self._end(stream, "end")

    def _end(
        self, stream: Stream, why: Why, code: str | None = None, text: str | None = None
    ) -> None:
        if stream.ended:
            return
        stream.ended = True
        stream.outbox.clear()
        del self._streams[stream.client, stream.id]
        self._finished.append(Finish(stream, why, code, text))


def _urgency(stream: Stream) -> tuple[bool, bool, bool, int]:
    """Less is more urgent."""
    begun = stream.seq + len(stream.outbox) > 0
    return begun, not stream.has_room, stream.sink != "speaker", stream.turn
