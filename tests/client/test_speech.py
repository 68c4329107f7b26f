"""The logic under both clients, without a socket: credit, keys, and saying it again."""

from __future__ import annotations

from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sambertd_client import NoDaemonError, RefusedError
from sambertd_client import protocol as wire
from sambertd_client.line import Line
from sambertd_client.speech import Speech
from sambertd_client.steps import Look, Steps

T = TypeVar("T")
M = TypeVar("M", bound=wire.Message)
PIECE = b"\x01\x02"


class Daemon:
    """The other end of a line: it makes so many pieces of every `say`, as credit allows.

    dies_after: so many pieces in all; then nobody listens until it was looked for twice.
    """

    def __init__(self, pieces: int = 3, dies_after: int | None = None, most: int = 1024) -> None:
        self.line = Line("ipc:///none", 0.01, self._put)
        self.asked: list[wire.Request] = []
        self._pieces, self._dies_after, self._most = pieces, dies_after, most
        self._live: dict[str, tuple[int, int]] = {}  # made, credit
        self._sent = self._looks = 0
        self._dead = False

    def _put(self, frame: bytes) -> bool:
        request = wire.decode_request([frame])
        self.asked.append(request)
        if self._dead:
            return True
        if isinstance(request, wire.Say):
            self._live[request.id] = (0, request.credit)
            accepted = wire.Accepted(id=request.id, voice="v", rate=1, position=0, instance="i")
            self._reply(accepted)
        if isinstance(request, wire.Credit):
            assert request.id in self._live, "nothing is granted to what has ended"
            made, credit = self._live[request.id]
            self._live[request.id] = (made, credit + request.grant)
            assert credit + request.grant <= self._most, "more on its way than there is room for"
        return True

    def _reply(self, reply: wire.Message, *pcm: bytes) -> None:
        self.line.feed([wire.encode(reply), *pcm])

    def _work(self) -> bool:
        """One reply of each that is live; whether there was any."""
        if self._dead:
            return False
        worked = False
        for name, (made, credit) in list(self._live.items()):
            if made == self._pieces:
                del self._live[name]
                self._reply(wire.Done(id=name, why="end"))
            elif credit:
                self._live[name] = (made + 1, credit - 1)
                self._reply(wire.Audio(id=name, seq=made, at=made), PIECE)
                self._sent += 1
            else:
                continue
            worked = True
            if self._sent == self._dies_after:
                self._dead = True
                self._live.clear()
        return worked

    def _is_there(self) -> bool:
        if self._dead:
            self._looks += 1
            self._dead, self._dies_after = self._looks < 2, None
            return False
        return True

    def run(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                step = steps.send(self._is_there() if isinstance(step, Look) else self._work())
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def of(self, kind: type[M]) -> list[M]:
        return [one for one in self.asked if isinstance(one, kind)]


@given(st.integers(0, 40), st.integers(1, 16))
def test_credit_is_never_more_than_there_is_room_for(pieces: int, credit: int) -> None:
    daemon = Daemon(pieces, most=credit)
    speech = Speech(daemon.line, "好", {"credit": credit}, 0.0)
    daemon.run(speech.begin())
    assert daemon.run(speech.read()) == PIECE * pieces
    assert speech.done is not None
    assert daemon.line.inboxes == {}
    assert len(daemon.of(wire.Credit)) <= pieces


@settings(max_examples=25)  # each waits a moment, as it would for a real daemon
@given(st.integers(1, 20), st.integers(1, 20))
def test_what_is_lost_is_read_whole(pieces: int, dies_after: int) -> None:
    daemon = Daemon(pieces, dies_after=min(dies_after, pieces))
    speech = Speech(daemon.line, "好", {}, 5.0)
    daemon.run(speech.begin())
    assert daemon.run(speech.read()) == PIECE * pieces
    first, again = daemon.of(wire.Say)
    assert (first.key, first.text) == (again.key, again.text)
    assert first.id != again.id == speech.id
    assert first.key
    assert daemon.line.inboxes == {}


def test_what_was_handed_out_is_not_handed_out_again() -> None:
    daemon = Daemon(5, dies_after=2)
    speech = Speech(daemon.line, "好", {}, 5.0)
    daemon.run(speech.begin())
    assert daemon.run(speech.take()) == PIECE
    with pytest.raises(NoDaemonError) as lost:
        daemon.run(speech.read())
    assert lost.value.code == "gone"
    assert len(daemon.of(wire.Say)) == 1


def test_without_retry_a_loss_is_told() -> None:
    daemon = Daemon(5, dies_after=2)
    speech = Speech(daemon.line, "好", {"key": "mine"}, 0.0)
    daemon.run(speech.begin())
    with pytest.raises(NoDaemonError, match="has gone"):
        daemon.run(speech.wait())


def test_who_stops_waiting_has_it_cancelled() -> None:
    daemon = Daemon()
    speech = Speech(daemon.line, "好", {}, 5.0)
    daemon.line.inboxes.clear()
    steps = speech.begin()
    daemon._dead = True
    assert next(steps) == Look()
    steps.send(True)  # somebody listens: it is sent
    steps.close()
    (cancel,) = daemon.of(wire.Cancel)
    assert cancel.target == speech.id
    assert daemon.line.inboxes == {}


@pytest.mark.parametrize(("wishes", "cancels"), [({}, 1), ({"key": "mine"}, 0)])
def test_an_unanswered_say_is_taken_back_unless_it_may_come_again(
    wishes: dict[str, str], cancels: int
) -> None:
    daemon = Daemon()
    daemon.run(daemon.line.meet(0.0))
    daemon._dead = True
    speech = Speech(daemon.line, "好", wishes, 0.0)  # type: ignore[arg-type]
    with pytest.raises(NoDaemonError):
        daemon.run(speech.begin())
    assert len(daemon.of(wire.Cancel)) == cancels


def test_what_is_of_nobody_is_dropped() -> None:
    daemon = Daemon()
    late = wire.Audio(id="gone", seq=0, at=0)
    assert daemon.line.feed([wire.encode(late), PIECE]) == ""
    assert daemon.line.inboxes == {}
    with pytest.raises(RefusedError, match="split the text"):
        daemon.line.send(wire.Say(id="1", text="好" * 30000))
