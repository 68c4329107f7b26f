"""Who is admitted, whose turn it is, and how each utterance ends. Pure policy: no IO, no clock.

An admitted `Stream` waits, is worked on by turns, and ends exactly once: it appears in
`take_finished()` once and never again. Audio lies in a stream's outbox until its sink takes it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from sambertd_client.protocol import (
    BUSY,
    DUPLICATE_ID,
    MAX_CREDIT,
    Priority,
    Sink,
    Why,
)

from daemon import precedence, turns
from daemon.patience import Patience
from daemon.stream import MOST_BEHIND, Finish, Piece, Stream, Whose, Wish
from engines.marks import SpeechMark

RESERVED = 2  # places beyond the others, for important utterances alone
BUSY_S = 0.5  # about when a place may be free again


class RefusedError(Exception):
    """A request that is not admitted; `code` is one of the protocol's."""

    def __init__(self, code: str, text: str, retry_s: float | None = None) -> None:
        """retry_s: seconds after which it may be asked again, where that can be told."""
        super().__init__(text)
        self.code, self.retry_s = code, retry_s


class Scheduler:
    """Streams by (client, id), in the order of their admission."""

    def __init__(
        self,
        in_work: int,
        waiting: int,
        stall_s: float,
        per_client: int | None = None,
        append_s: float = 30.0,
        pause_s: float = 600.0,
    ) -> None:
        self.limit(in_work, waiting, stall_s, per_client, append_s, pause_s)
        self.spare = 0  # places beyond open_limit
        self._streams: dict[tuple[bytes, str], Stream] = {}
        self._finished: list[Finish] = []
        self._turns = itertools.count(1)

    def limit(
        self,
        in_work: int,
        waiting: int,
        stall_s: float,
        per_client: int | None,
        append_s: float,
        pause_s: float,
    ) -> None:
        """Other limits from now on; what was admitted stays so."""
        self.open_limit = in_work  # streams the engines have open at once
        self._capacity = in_work + waiting
        self._per_client = per_client or self._capacity
        self._patience = Patience(stall_s, append_s, pause_s)

    def __len__(self) -> int:
        return len(self._streams)

    def __iter__(self) -> Iterator[Stream]:
        return iter(list(self._streams.values()))

    @property
    def waiting(self) -> int:
        """Admitted streams that have had no turn yet."""
        return sum(not stream.started for stream in self._streams.values())

    def admit(
        self,
        client: bytes,
        request_id: str,
        sink: Sink,
        rate: int,
        credit: int,
        now: float,
        wish: Wish | None = None,
    ) -> Stream:
        """A new stream; others, or itself, may end because of it. Raises RefusedError."""
        self._check_id(client, request_id)
        stream = Stream(
            client, request_id, sink, rate, min(credit, MAX_CREDIT), now, wish or Wish()
        )
        live = self._streams.values()
        if stream.wish.queue == "drop" and any(
            precedence.shares_sink(s, stream) and not s.paused for s in live
        ):
            text = 'something is being said there, and queue is "drop"; leave it out to wait'
            raise RefusedError(BUSY, text)
        superseded = precedence.superseded(stream, live)
        self._check_capacity(stream, [s for s in live if s not in superseded])
        precedence.postpone(stream, live)
        self._streams[client, request_id] = stream
        for loser in superseded:
            self._end(loser, "superseded")
        return stream

    def _check_id(self, client: bytes, request_id: str) -> None:
        if (client, request_id) in self._streams:
            text = f"id {request_id!r} is still in use by a live request; choose a new one"
            raise RefusedError(DUPLICATE_ID, text)

    def _check_capacity(self, new: Stream, live: list[Stream]) -> None:
        reserved = 0 if precedence.rank(new) else RESERVED
        if len(live) >= self._capacity + reserved:
            text = f"{len(live)} utterances are in work or waiting; try again when one is done"
            raise RefusedError(BUSY, text, BUSY_S)
        mine = sum(stream.client == new.client for stream in live)
        if mine >= self._per_client:
            text = f"{mine} utterances of this client are live; try again when one is done"
            raise RefusedError(BUSY, text, BUSY_S)
        owner, most = new.wish.owner, new.wish.most
        if most is not None and sum(stream.wish.owner == owner for stream in live) >= most:
            text = f"{most} utterances of {owner} are live; try again when one is done"
            raise RefusedError(BUSY, text, BUSY_S)

    def find(self, client: bytes, request_id: str) -> Stream | None:
        return self._streams.get((client, request_id))

    def next_turn(self) -> Stream | None:
        """The stream whose next chunk the engine shall make now; asked while no turn is under way.

        See `daemon.turns`; `open_limit` of them have a place at once, and `spare` newcomers.
        """
        chosen = turns.next_of(self._streams.values(), self.open_limit, self.spare)
        if chosen is not None:
            chosen.started, chosen.turn = True, next(self._turns)
        return chosen

    def at_hand(self) -> list[Stream]:
        """The streams whose next chunk needs no engine, and that have room for it."""
        return [s for s in self._streams.values() if s.known and s.has_room and not s.made]

    def spoke(
        self,
        stream: Stream,
        pieces: tuple[bytes, ...],
        sentence: int,
        took_s: float,
        marks: Iterable[SpeechMark] = (),
    ) -> None:
        """The engine made audio in this stream's turn; it is dropped if the stream has ended."""
        stream.synth_s += took_s
        if not stream.ended:
            made = [Piece(pcm, sentence) for pcm in pieces]
            stream.outbox.extend(made)
            stream.know(marks)
            if stream.sink == "both" and not stream.left_behind:
                stream.copies.extend(made)

    def starve(self, stream: Stream, took_s: float = 0.0) -> None:
        """It has no text now, but will have: it gives up its place until `fed`."""
        stream.synth_s += took_s
        stream.starved, stream.started = True, False

    def fed(self, stream: Stream, chars: int, *, ready: bool) -> None:
        """More of its text has come; ready: a whole sentence, or the end."""
        stream.appended += chars
        stream.starved, stream.starved_since = stream.starved and not ready, None

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
        """The piece its client may take next, if any and if there is credit for it."""
        ready = stream.copies if stream.sink == "both" else stream.outbox
        if stream.ended or stream.paused or not ready:
            return None
        if stream.credit < 1:
            self.block(stream, now)
            return None
        return ready[0]

    def block(self, stream: Stream, now: float) -> None:
        """Its client takes nothing at the moment; after stall_s that ends it, see `expire`."""
        if stream.blocked_since is None and stream.sink == "client":
            stream.blocked_since = now

    def sent(self, stream: Stream, now: float) -> None:
        """The piece last offered has gone to the client."""
        stream.credit -= 1
        if stream.sink == "both":
            piece = stream.copies.popleft()
            stream.copied += 1
            stream.copied_samples += len(piece.pcm) // stream.sample_bytes
        else:
            self.taken(stream, now)

    def taken(self, stream: Stream, now: float) -> None:
        """The first piece of the outbox has gone to the sink."""
        piece = stream.outbox.popleft()
        stream.blocked_since = None
        stream.first_audio = now if stream.first_audio is None else stream.first_audio
        stream.seq += 1
        stream.samples += len(piece.pcm) // stream.sample_bytes
        stream.sentence = piece.sentence
        if stream.sink == "both" and stream.seq - stream.copied > MOST_BEHIND:
            stream.leave_behind()
        self._end_if_taken(stream)

    def played(self, stream: Stream) -> None:
        """The speaker has played the last sample of a stream that was made and taken."""
        self._end(stream, "end")

    def cancel(
        self, whose: Whose, request_id: str | None, priority: Priority | None = None
    ) -> list[str]:
        """End the streams with this id and of this priority; None: any. Their ids."""
        chosen = self._chosen(whose, request_id, priority)
        for stream in chosen:
            self._end(stream, "cancelled")
        return [stream.id for stream in chosen]

    def pause(self, whose: Whose, request_id: str | None, now: float) -> list[Stream]:
        """Hold the streams with this id, None: any; those that were not held yet."""
        chosen = [s for s in self._chosen(whose, request_id) if not s.paused]
        for stream in chosen:
            stream.paused_since, stream.blocked_since, stream.starved_since = now, None, None
        return chosen

    def resume(self, whose: Whose, request_id: str | None) -> list[Stream]:
        """Let them go on; those that were held."""
        chosen = [s for s in self._chosen(whose, request_id) if s.paused]
        for stream in chosen:
            stream.paused_since = None
        return chosen

    def _chosen(
        self, whose: Whose, request_id: str | None, priority: Priority | None = None
    ) -> list[Stream]:
        return [
            s
            for s in self._streams.values()
            if whose.owns(s) and request_id in (None, s.id) and priority in (None, s.wish.priority)
        ]

    def drop(self, client: bytes) -> None:
        """A client is gone: what was for it ends; what it said to the speaker is still heard."""
        for stream in self:
            if stream.client == client and not stream.outlives:
                self._end(stream, "cancelled")
            elif stream.client == client:
                stream.leave_behind()
                stream.marks.clear()
                stream.credit = 0

    def supersede(self, stream: Stream) -> None:
        """Another utterance takes its place."""
        self._end(stream, "superseded")

    def adopt(self, stream: Stream, client: bytes, request_id: str) -> None:
        """A live stream belongs to another request from now on. Raises RefusedError."""
        self._check_id(client, request_id)
        old, new = (stream.client, stream.id), (client, request_id)
        stream.client, stream.id = new
        self._streams = {new if key == old else key: one for key, one in self._streams.items()}

    def end_all(self, why: Why, code: str | None = None, text: str | None = None) -> None:
        for stream in self:
            self._end(stream, why, code, text)

    def expire(self, now: float) -> None:
        """End the streams that have lasted too long in one way or another."""
        for stream in self:
            end = self._patience.end(stream, now)
            if end is not None:
                self._end(stream, *end)

    def take_finished(self) -> list[Finish]:
        """Streams that ended since the last call, each exactly once."""
        finished, self._finished = self._finished, []
        return finished

    def _end_if_taken(self, stream: Stream) -> None:
        if stream.made and not stream.outbox and not stream.plays:
            self._end(stream, "end")

    def _end(
        self, stream: Stream, why: Why, code: str | None = None, text: str | None = None
    ) -> None:
        if stream.ended:
            return
        stream.ended = True
        stream.outbox.clear()
        stream.copies.clear()
        del self._streams[stream.client, stream.id]
        self._finished.append(Finish(stream, why, code, text))
