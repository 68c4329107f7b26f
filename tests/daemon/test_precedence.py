"""Who gives way to whom: the table of docs/PROTOCOL.md, then any history at all."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sambertd_client.protocol import Policy, Priority

from daemon.precedence import first_on_air
from daemon.scheduler import RefusedError, Scheduler
from daemon.stream import Stream, Whose, Wish

PRIORITIES: tuple[Priority, ...] = ("important", "message", "text", "notification", "progress")


def say(
    scheduler: Scheduler,
    priority: Priority,
    client: bytes = b"c",
    queue: Policy = "append",
    sink: str = "speaker",
) -> Stream:
    number = next(iter(n for n in map(str, range(999)) if n not in {s.id for s in scheduler}))
    wish = Wish(priority, queue, 10)
    return scheduler.admit(client, number, sink, 16000, 0, 0.0, wish)  # type: ignore[arg-type]


def ends(scheduler: Scheduler) -> list[tuple[str, str]]:
    return [(f.stream.wish.priority, f.why) for f in scheduler.take_finished()]


@pytest.mark.parametrize(
    ("sounding", "comes", "gives_way"),
    [
        ("important", "important", None),
        ("message", "important", "message"),
        ("text", "important", "text"),
        ("progress", "important", "progress"),
        ("message", "message", None),
        ("text", "message", "text"),
        ("notification", "message", "notification"),
        ("progress", "message", "progress"),
        ("message", "text", None),
        ("text", "text", "text"),
        ("progress", "text", "progress"),
        ("important", "notification", "notification"),
        ("message", "notification", "notification"),
        ("text", "notification", "notification"),
        ("progress", "notification", "notification"),
        ("message", "progress", None),
        ("progress", "progress", None),
        ("notification", "progress", "notification"),
    ],
)
def test_what_gives_way_when_something_comes(
    sounding: Priority, comes: Priority, gives_way: str | None
) -> None:
    scheduler = Scheduler(4, 8, 15.0)
    say(scheduler, sounding).on_air = True
    say(scheduler, comes, b"other")
    assert ends(scheduler) == ([] if gives_way is None else [(gives_way, "superseded")])


def test_the_newest_notification_is_said_and_the_older_ones_are_not() -> None:
    scheduler = Scheduler(4, 8, 15.0)
    old, new = say(scheduler, "notification"), say(scheduler, "notification")
    assert (old.ended, new.ended) == (True, False)


def test_important_goes_before_what_waits_and_lets_it_wait() -> None:
    scheduler = Scheduler(4, 8, 15.0)
    message, text = say(scheduler, "message"), say(scheduler, "text")
    important = say(scheduler, "important")
    assert ends(scheduler) == []
    order = []
    while (stream := first_on_air(scheduler)) is not None:
        order.append(stream)
        scheduler.cancel(Whose(stream.client), stream.id)
    assert order == [important, message, text]


def test_of_a_series_of_progress_the_first_and_the_last_are_heard() -> None:
    scheduler = Scheduler(4, 8, 15.0)
    first = say(scheduler, "progress")
    first.on_air = True
    others = [say(scheduler, "progress") for _ in range(5)]
    of_another = say(scheduler, "progress", b"other")
    assert [stream.ended for stream in others] == [True, True, True, True, False]
    scheduler.played(first)
    message = say(scheduler, "message")
    assert not others[-1].ended, "the last of a series is always heard"
    assert not of_another.ended
    assert first_on_air(scheduler) is message
    scheduler.played(message)
    others[-1].on_air = True
    assert first_on_air(scheduler) is others[-1]
    for priority in PRIORITIES[1:]:
        say(scheduler, priority)
    assert not others[-1].ended, "it is spoken like a message"
    say(scheduler, "important")
    assert others[-1].ended, "a warning waits for nothing but another"


def test_replace_ends_what_the_same_client_said_there_of_this_priority_or_less() -> None:
    scheduler = Scheduler(4, 8, 15.0)
    kept = [
        say(scheduler, "important"),
        say(scheduler, "message", b"other"),
        say(scheduler, "message", sink="client"),
    ]
    ended = [say(scheduler, "message"), say(scheduler, "progress")]
    newcomer = say(scheduler, "message", queue="replace")
    assert set(scheduler) == {*kept, newcomer}
    assert {finish.stream for finish in scheduler.take_finished()} == set(ended)


def test_drop_is_refused_while_something_is_said_there() -> None:
    scheduler = Scheduler(4, 8, 15.0)
    say(scheduler, "message", b"other", sink="client")
    first = say(scheduler, "message", queue="drop")
    with pytest.raises(RefusedError, match="drop") as caught:
        say(scheduler, "message", b"other", queue="drop")
    assert caught.value.code == "busy"
    scheduler.played(first)
    say(scheduler, "message", b"other", queue="drop")


def test_what_gives_way_makes_room_and_a_refused_newcomer_ends_nothing() -> None:
    scheduler = Scheduler(1, 1, 15.0)
    text = say(scheduler, "text")
    say(scheduler, "message", sink="client")
    with pytest.raises(RefusedError):
        say(scheduler, "message", sink="client")
    assert not text.ended
    say(scheduler, "text")
    assert text.ended


def test_a_client_has_its_own_limit() -> None:
    scheduler = Scheduler(4, 8, 15.0, per_client=2)
    for _ in range(2):
        say(scheduler, "message", sink="client")
    with pytest.raises(RefusedError, match="2 utterances of this client") as caught:
        say(scheduler, "message", sink="client")
    assert caught.value.code == "busy"
    say(scheduler, "message", b"other", sink="client")


def test_turns_are_fair_to_clients_and_priorities_come_first() -> None:
    scheduler = Scheduler(3, 9, 15.0)
    bulk = [say(scheduler, "message", b"bulk", sink="client") for _ in range(4)]
    other = say(scheduler, "message", b"other", sink="client")
    assert scheduler.next_turn() is bulk[0]
    assert scheduler.next_turn() is other, "its client has none in work"
    warning = say(scheduler, "important", b"bulk", sink="client")
    assert scheduler.next_turn() is warning


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["say", "say", "air", "play", "cancel"]),
            st.sampled_from(PRIORITIES),
            st.sampled_from([b"a", b"b"]),
            st.sampled_from(["append", "replace"]),
        ),
        max_size=40,
    )
)
def test_whatever_comes_nobody_ends_twice_and_the_promises_hold(
    history: list[tuple[str, Priority, bytes, Policy]],
) -> None:
    scheduler, ended, said = Scheduler(4, 100, 15.0), Counter[Stream](), []
    for event, priority, client, queue in history:
        if event == "say":
            said.append(say(scheduler, priority, client, queue))
        elif event == "cancel":
            scheduler.cancel(Whose(client), None, priority)
        elif (stream := first_on_air(scheduler)) is not None:
            stream.on_air = True
            if event == "play":
                scheduler.played(stream)
        for finish in scheduler.take_finished():
            ended[finish.stream] += 1
            stream, newest = finish.stream, said[-1]
            if finish.why != "superseded":
                continue
            assert stream.wish.priority != "important" or newest.wish.queue == "replace"
            if newest.wish.queue == "append":
                waiting_message = stream.wish.priority == "message" and not stream.on_air
                assert not waiting_message, "a message that waits gives way to nothing"
        live = [stream.wish.priority for stream in scheduler]
        assert live.count("text") <= 1
        assert live.count("notification") <= 1
        assert live.count("progress") <= 4, "one that sounds, one not yet, and two postponed"
    for stream in said:
        assert ended[stream] == (0 if stream in set(scheduler) else 1)


def test_what_is_paused_silences_nothing() -> None:
    scheduler = Scheduler(4, 8, 15.0)
    message = say(scheduler, "message")
    message.on_air = True
    scheduler.pause(Whose(b"c"), None, 0.0)
    hint = say(scheduler, "notification", b"other")
    warning = say(scheduler, "important", b"other")
    assert hint.ended, "it gives way to the warning"
    assert not message.ended, "it is heard after the warning"
    assert first_on_air(s for s in scheduler if not s.paused) is warning
    scheduler.played(warning)
    say(scheduler, "message", b"other", queue="drop")


@given(counts=st.lists(st.integers(1, 4), min_size=2, max_size=4), rounds=st.integers(1, 12))
def test_turns_are_shared_by_clients_not_by_utterances(counts: list[int], rounds: int) -> None:
    scheduler = Scheduler(16, 0, 15.0)
    for client, count in enumerate(counts):
        for _ in range(count):
            say(scheduler, "message", bytes([client]), sink="client")
    for _ in range(sum(counts)):  # the first audio of each
        stream = scheduler.next_turn()
        assert stream is not None
        scheduler.spoke(stream, (bytes(4),), 0, 0.0)
    turns = Counter[bytes]()
    for _ in range(rounds * len(counts)):
        stream = scheduler.next_turn()
        assert stream is not None
        turns[stream.client] += 1
    assert set(turns.values()) == {rounds}
