"""Nobody starves while others come without end: each utterance has its turns within a bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sambertd_client.protocol import Sink

from daemon.scheduler import RefusedError, Scheduler
from daemon.stream import Stream, Wish

IN_WORK, WAITING = 2, 4
LONGEST = 4  # pieces of an utterance
PIECE = (bytes(20),)
PLAYED_IN = 2  # turns in which the speaker plays a piece
BOUND = 2 * (IN_WORK + WAITING) * (LONGEST + 1)  # twice all turns of all that can be live
MOST_TURNS = 5000

Arrival = tuple[int, Sink, int]  # client, sink, pieces


class Rush:
    """As many arrive as are let in; a turn at a time, until all have ended."""

    def __init__(self, arrivals: Sequence[Arrival]) -> None:
        self.scheduler = Scheduler(IN_WORK, WAITING, 1e9)
        self.arrivals = list(arrivals)
        self.pieces: Counter[Stream] = Counter()  # still to be made
        self.admitted_at: dict[Stream, int] = {}
        self.begun_after: dict[Stream, int] = {}
        self.ended_after: dict[Stream, int] = {}
        self.turns = 0

    def run(self) -> None:
        while self.arrivals or len(self.scheduler):
            self._let_in()
            self._turn()
            self._take()
            self.turns += 1
            assert self.turns < MOST_TURNS, "somebody never ends"

    def _let_in(self) -> None:
        while self.arrivals:
            client, sink, pieces = self.arrivals[0]
            name, wish = str(len(self.admitted_at)), Wish()
            try:
                stream = self.scheduler.admit(bytes([client]), name, sink, 16000, 99, 0.0, wish)
            except RefusedError:
                return
            self.arrivals.pop(0)
            self.pieces[stream], self.admitted_at[stream] = pieces, self.turns

    def _turn(self) -> None:
        stream = self.scheduler.next_turn()
        if stream is None:
            return
        self.begun_after.setdefault(stream, self.turns - self.admitted_at[stream])
        if self.pieces[stream]:
            self.pieces[stream] -= 1
            self.scheduler.spoke(stream, PIECE, 0, 0.0)
        else:
            self.scheduler.exhausted(stream, 0.0)

    def _take(self) -> None:
        """Clients take what is there at once; the speaker plays the first it has, in real time."""
        for stream in self.scheduler:
            while not stream.plays and self.scheduler.offer(stream, 0.0) is not None:
                self.scheduler.sent(stream, 0.0)
        playing = next((stream for stream in self.scheduler if stream.plays), None)
        if playing is not None and self.turns % PLAYED_IN == 0:
            if playing.outbox:
                self.scheduler.taken(playing, 0.0)
            elif playing.made:
                self.scheduler.played(playing)
        for finish in self.scheduler.take_finished():
            self.ended_after[finish.stream] = self.turns - self.admitted_at[finish.stream]


def arrivals(*sinks: Sink) -> st.SearchStrategy[list[Arrival]]:
    one = st.tuples(st.integers(0, 3), st.sampled_from(sinks), st.integers(1, LONGEST))
    return st.lists(one, min_size=1, max_size=60)


@given(arrivals("client"))
def test_clients_do_not_starve_each_other(rush: list[Arrival]) -> None:
    history = Rush(rush)
    history.run()
    assert len(history.ended_after) == len(rush)
    assert max(history.ended_after.values()) <= BOUND


@given(arrivals("client", "speaker"))
def test_the_speaker_does_not_starve_clients(rush: list[Arrival]) -> None:
    history = Rush(rush)
    history.run()
    assert len(history.ended_after) == len(rush)
    for stream, turns in history.ended_after.items():
        assert turns <= (BOUND if not stream.plays else 3 * PLAYED_IN * BOUND)


@pytest.mark.parametrize("flood", [40, 400])
def test_one_client_that_floods_delays_others_no_longer_for_being_many(flood: int) -> None:
    """A greedy client has all places; the other's sentence waits for one of them, not for all."""
    greedy: Arrival = (0, "client", LONGEST)
    history = Rush([greedy] * 5 + [(1, "client", 2)])
    history._let_in()
    history.arrivals = [greedy] * flood
    history.run()
    (other,) = [stream for stream in history.admitted_at if stream.client == bytes([1])]
    assert history.begun_after[other] <= IN_WORK * (LONGEST + 1)
    assert history.ended_after[other] <= 2 * IN_WORK * (LONGEST + 1)


def admit(scheduler: Scheduler, client: bytes, name: str, wish: Wish | None = None) -> Stream:
    return scheduler.admit(client, name, "client", 16000, 99, 0.0, wish or Wish())


def test_one_client_with_many_long_texts_keeps_nobody_waiting_for_first_audio() -> None:
    scheduler = Scheduler(2, 8, 1e9)
    scheduler.spare = 2
    for number in range(4):
        admit(scheduler, b"a", str(number))
    begun = {scheduler.next_turn() for _ in range(6)}
    assert {stream.id for stream in begun if stream} == {"0", "1"}, "the spare places are not its"
    guest = admit(scheduler, b"b", "guest")
    assert scheduler.next_turn() is guest
    more = admit(scheduler, b"b", "one more of the guest's")
    warning = admit(scheduler, b"a", "warning", Wish(priority="important"))
    assert scheduler.next_turn() is warning
    late = admit(scheduler, b"c", "late")
    for _ in range(8):
        assert scheduler.next_turn() not in (more, late), "the spare places are taken too"
    scheduler.exhausted(guest, 0.0)
    assert scheduler.next_turn() is more
    scheduler.exhausted(more, 0.0)
    assert scheduler.next_turn() is late
