"""The policy without sockets, threads or clocks: examples, then thousands of random histories."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sambertd_client.protocol import Priority, Sink

from daemon.scheduler import RESERVED, RefusedError, Scheduler
from daemon.stream import MOST_BEHIND, OUTBOX_CHUNKS, Stream, Whose, Wish

PIECE = (bytes(20),)


def admit(scheduler: Scheduler, name: str, credit: int = 99, sink: str = "client") -> Stream:
    return scheduler.admit(b"c", name, sink, 16000, credit, 0.0)  # type: ignore[arg-type]


def step(scheduler: Scheduler) -> Stream | None:
    stream = scheduler.next_turn()
    if stream is not None:
        scheduler.spoke(stream, PIECE, 0, 0.1)
    return stream


def test_newcomers_get_their_first_audio_before_others_go_on() -> None:
    scheduler = Scheduler(4, 8, 15.0)
    first = admit(scheduler, "first")
    assert [step(scheduler) for _ in range(2)] == [first, first]
    second, third = admit(scheduler, "second"), admit(scheduler, "third")
    assert [step(scheduler) for _ in range(2)] == [second, third]
    assert [step(scheduler) for _ in range(3)] == [first, second, third]


def test_the_speaker_goes_before_clients_and_full_outboxes_get_no_turn() -> None:
    scheduler = Scheduler(4, 8, 15.0)
    admit(scheduler, "file", credit=0)
    speaker = admit(scheduler, "speaker", sink="speaker")
    step(scheduler), step(scheduler)
    assert {step(scheduler) for _ in range(OUTBOX_CHUNKS - 1)} == {speaker}
    for _ in range(OUTBOX_CHUNKS - 1):
        step(scheduler)
    assert scheduler.next_turn() is None


def test_a_stalled_stream_goes_on_to_its_end_while_others_wait_for_its_place() -> None:
    scheduler = Scheduler(1, 2, 15.0)
    stalled = admit(scheduler, "stalled", credit=0)
    assert [step(scheduler) for _ in range(OUTBOX_CHUNKS + 1)] == [stalled] * OUTBOX_CHUNKS + [None]
    waiting = admit(scheduler, "waiting")
    assert [step(scheduler) for _ in range(5)] == [stalled] * 5
    assert scheduler.next_turn() is stalled
    scheduler.exhausted(stalled, 0.1)
    assert step(scheduler) is waiting


def test_stalled_streams_expire_by_the_time_without_progress() -> None:
    scheduler = Scheduler(1, 2, 15.0)
    stream = admit(scheduler, "s", credit=1)
    step(scheduler), step(scheduler)
    assert scheduler.offer(stream, 1.0) is not None
    scheduler.sent(stream, 1.0)
    assert scheduler.offer(stream, 2.0) is None
    scheduler.expire(16.9)
    assert scheduler.take_finished() == []
    scheduler.expire(17.0)
    (finish,) = scheduler.take_finished()
    assert (finish.why, finish.code) == ("error", "client_stalled")


def test_audio_made_after_a_cancel_is_dropped() -> None:
    scheduler = Scheduler(1, 2, 15.0)
    stream = admit(scheduler, "s")
    assert scheduler.next_turn() is stream
    assert scheduler.cancel(Whose(b"c"), "s") == ["s"]
    scheduler.spoke(stream, PIECE, 0, 0.1)
    scheduler.exhausted(stream, 0.1)
    assert [finish.why for finish in scheduler.take_finished()] == ["cancelled"]
    assert scheduler.offer(stream, 0.0) is None
    assert len(scheduler) == 0


def test_what_a_lost_client_said_to_the_speaker_is_still_heard() -> None:
    scheduler = Scheduler(4, 8, 15.0)
    admit(scheduler, "file")
    admit(scheduler, "speaker", sink="speaker")
    scheduler.drop(b"c")
    assert [finish.stream.id for finish in scheduler.take_finished()] == ["file"]
    assert len(scheduler) == 1


def test_a_client_far_behind_the_speaker_gets_no_more_copies() -> None:
    """Nobody's memory: an utterance whose text comes in pieces may sound for hours."""
    scheduler = Scheduler(1, 2, 15.0)
    stream = admit(scheduler, "s", credit=2, sink="both")
    for _ in range(MOST_BEHIND + 2):
        assert step(scheduler) is stream
        scheduler.taken(stream, 0.0)
        if scheduler.offer(stream, 0.0) is not None:
            scheduler.sent(stream, 0.0)
    assert (stream.copied, len(stream.copies), stream.left_behind) == (2, MOST_BEHIND, False)
    assert step(scheduler) is stream
    scheduler.taken(stream, 0.0)
    scheduler.grant(b"c", "s", 9)
    assert step(scheduler) is stream
    assert scheduler.offer(stream, 0.0) is None
    assert (stream.copied, len(stream.copies)) == (2, 0)


def test_places_are_kept_for_the_important() -> None:
    scheduler, wish = Scheduler(2, 1, 5.0), Wish(priority="important")
    for name in "abc":
        admit(scheduler, name)
    with pytest.raises(RefusedError, match="in work or waiting"):
        admit(scheduler, "d")
    for name in "de"[:RESERVED]:
        scheduler.admit(b"robot", name, "client", 16000, 1, 0.0, wish)
    with pytest.raises(RefusedError, match="in work or waiting"):
        scheduler.admit(b"robot", "f", "client", 16000, 1, 0.0, wish)


class History(RuleBasedStateMachine):
    """Any order of admissions, turns, grants, takes, cancels and losses."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(in_work=2, waiting=3, stall_s=5.0)
        self.now = 0.0
        self.admitted: list[Stream] = []
        self.granted: Counter[Stream] = Counter()
        self.ends: Counter[Stream] = Counter()
        self.turn: Stream | None = None

    @rule(
        client=st.sampled_from([b"a", b"b"]),
        name=st.sampled_from("wxyz"),
        sink=st.sampled_from(["client", "speaker", "both", "none"]),
        credit=st.integers(0, 3),
        wish=st.builds(
            Wish,
            priority=st.sampled_from(get_args(Priority)),
            queue=st.sampled_from(["append", "append", "replace", "drop"]),
            deadline_s=st.sampled_from([None, 3.0]),
        ),
    )
    def admit(self, client: bytes, name: str, sink: Sink, credit: int, wish: Wish) -> None:
        live = {(s.client, s.id) for s in self.scheduler}
        code = "admitted"
        try:
            stream = self.scheduler.admit(client, name, sink, 16000, credit, self.now, wish)
        except RefusedError as refusal:
            code = refusal.code
        else:
            self.admitted.append(stream)
            self.granted[stream] = credit
        if (client, name) in live:
            assert code == "duplicate_id"
        elif code != "admitted":
            assert code == "busy"
            places = 5 + RESERVED * (wish.priority == "important")
            assert len(live) >= places or wish.queue == "drop"
        if code != "admitted":
            assert {(s.client, s.id) for s in self.scheduler} == live, "a refusal ends nobody"

    @precondition(lambda self: self.turn is None)
    @rule()
    def begin_turn(self) -> None:
        self.turn = self.scheduler.next_turn()
        assert self.turn is None or not self.turn.ended

    @precondition(lambda self: self.turn is not None)
    @rule(outcome=st.sampled_from(["audio", "audio", "audio", "lack", "end", "fail"]))
    def end_turn(self, outcome: str) -> None:
        assert self.turn is not None
        if outcome == "audio":
            self.scheduler.spoke(self.turn, PIECE, 0, 0.1)
        elif outcome == "lack":
            self.scheduler.starve(self.turn, 0.1)
        elif outcome == "end":
            self.scheduler.exhausted(self.turn, 0.1)
        else:
            self.scheduler.failed(self.turn, "voice_broken", "it broke")
        self.turn = None

    @rule(client=st.sampled_from([b"a", b"b"]), name=st.sampled_from("xyz"), n=st.integers(1, 3))
    def grant(self, client: bytes, name: str, n: int) -> None:
        self.scheduler.grant(client, name, n)
        for stream in self.scheduler:
            if (stream.client, stream.id) == (client, name):
                self.granted[stream] += n

    @rule(ready=st.booleans())
    def text_comes(self, ready: bool) -> None:
        for stream in self.scheduler:
            self.scheduler.fed(stream, 5, ready=ready)

    @rule()
    def sinks_take(self) -> None:
        for stream in self.scheduler:
            while stream.streams and self.scheduler.offer(stream, self.now) is not None:
                self.scheduler.sent(stream, self.now)
            while stream.outbox and stream.sink != "client":
                self.scheduler.taken(stream, self.now)
            if stream.plays and stream.made:
                self.scheduler.played(stream)

    @rule(client=st.sampled_from([b"a", b"b", None]), name=st.sampled_from(["x", "y", None]))
    def cancel(self, client: bytes | None, name: str | None) -> None:
        self.scheduler.cancel(Whose(client), name)
        assert self.scheduler.cancel(Whose(client), name) == []

    @rule(client=st.sampled_from([b"a", b"b", None]), name=st.sampled_from(["x", "y", None]))
    def pause(self, client: bytes | None, name: str | None) -> None:
        self.scheduler.pause(Whose(client), name, self.now)
        assert self.scheduler.pause(Whose(client), name, self.now) == []
        for stream in self.scheduler:
            assert not stream.paused or self.scheduler.offer(stream, self.now) is None

    @rule(client=st.sampled_from([b"a", b"b", None]), name=st.sampled_from(["x", "y", None]))
    def resume(self, client: bytes | None, name: str | None) -> None:
        self.scheduler.resume(Whose(client), name)
        assert self.scheduler.resume(Whose(client), name) == []

    @rule(client=st.sampled_from([b"a", b"b"]))
    def lose(self, client: bytes) -> None:
        self.scheduler.drop(client)
        assert all(s.client != client or s.plays for s in self.scheduler)

    @rule(client=st.sampled_from([b"a", b"b"]), name=st.sampled_from("xyz"))
    def ask_again(self, client: bytes, name: str) -> None:
        taken = {(s.client, s.id) for s in self.scheduler}
        first = next(iter(self.scheduler), None)
        if first is not None and (client, name) not in taken:
            order = list(self.scheduler)
            self.scheduler.adopt(first, client, name)
            assert list(self.scheduler) == order
            assert self.scheduler.cancel(Whose(client), name) == [name]

    @rule(seconds=st.floats(0, 6))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.scheduler.expire(self.now)

    @invariant()
    def every_stream_ends_at_most_once(self) -> None:
        for finish in self.scheduler.take_finished():
            self.ends[finish.stream] += 1
        assert all(count == 1 for count in self.ends.values())
        live = set(self.scheduler)
        assert all((stream in live) != (self.ends[stream] == 1) for stream in self.admitted)

    @invariant()
    def bounds_hold(self) -> None:
        urgent = sum(stream.wish.priority == "important" for stream in self.scheduler)
        assert len(self.scheduler) <= 5 + min(urgent, RESERVED)
        assert sum(stream.started and not stream.made for stream in self.scheduler) <= 2
        for stream in self.admitted:
            assert stream.sink != "client" or stream.seq <= self.granted[stream]
            assert stream.copied <= (self.granted[stream] if stream.sink == "both" else 0)

    def teardown(self) -> None:
        """Whatever happened, the rest can be spoken to its end: nobody starves."""
        if self.turn is not None:
            self.scheduler.exhausted(self.turn, 0.1)
        for stream in self.scheduler:
            self.scheduler.grant(stream.client, stream.id, 1000)
            self.scheduler.fed(stream, 0, ready=True)
        self.scheduler.resume(Whose(None), None)
        for _ in range(20):
            self.sinks_take()
            if (turn := self.scheduler.next_turn()) is not None:
                self.scheduler.exhausted(turn, 0.1)
        self.every_stream_ends_at_most_once()
        assert len(self.scheduler) == 0


TestHistory = History.TestCase
