"""Replies to a client whose pipe is full: kept in their order, and not without end."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from daemon.backlog import MOST_BYTES, Backlog
from daemon.transport import Delivery

LARGE = b"." * 1000


@dataclass
class Pipes:
    """Each takes what there is room for."""

    room: dict[bytes, int] = field(default_factory=dict)
    taken: dict[bytes, list[bytes]] = field(default_factory=dict)

    def send(self, client: bytes, frames: list[bytes], /) -> Delivery:
        if client not in self.room:
            return Delivery.GONE
        if not self.room[client]:
            return Delivery.FULL
        self.room[client] -= 1
        self.taken.setdefault(client, []).append(frames[0])
        return Delivery.SENT


@given(
    st.lists(
        st.tuples(st.sampled_from(["insist", "send", "flush"]), st.sampled_from([b"a", b"b"])),
        max_size=60,
    ),
    st.lists(st.integers(0, 5), min_size=60, max_size=60),
)
def test_all_that_was_taken_arrives_once_and_in_order(
    history: list[tuple[str, bytes]], rooms: list[int]
) -> None:
    pipes = Pipes({b"a": 0, b"b": 0})
    backlog, promised = Backlog(pipes), {b"a": deque[bytes](), b"b": deque[bytes]()}
    for number, ((what, client), room) in enumerate(zip(history, rooms, strict=False)):
        pipes.room[client], message = room, b"%d" % number
        if what == "flush":
            assert backlog.flush() == []
        elif what == "send" and backlog.send(client, [message]) is Delivery.SENT:
            promised[client].append(message)
        elif what == "insist":
            assert backlog.insist(client, [message]) is Delivery.SENT
            promised[client].append(message)
    pipes.room = {b"a": 99, b"b": 99}
    assert backlog.flush() == []
    assert len(backlog) == 0
    assert {name: pipes.taken.get(name, []) for name in promised} == {
        name: list(messages) for name, messages in promised.items()
    }


def test_what_is_kept_for_one_client_is_bounded() -> None:
    pipes = Pipes({b"slow": 0, b"other": 1})
    backlog = Backlog(pipes)
    answers = [backlog.insist(b"slow", [LARGE]) for _ in range(MOST_BYTES // 1000 + 1)]
    assert answers[-2:] == [Delivery.SENT, Delivery.FULL]
    assert backlog.insist(b"other", [LARGE]) is Delivery.SENT
    pipes.room[b"slow"] = 1
    backlog.flush()
    assert backlog.insist(b"slow", [LARGE]) is Delivery.SENT, "there is room again"


def test_a_client_that_has_gone_is_told_of_and_forgotten() -> None:
    pipes = Pipes({b"gone": 0})
    backlog = Backlog(pipes)
    backlog.insist(b"gone", [LARGE])
    del pipes.room[b"gone"]
    assert backlog.flush() == [b"gone"]
    assert (backlog.flush(), len(backlog)) == ([], 0)
    assert backlog.insist(b"gone", [LARGE]) is Delivery.GONE
