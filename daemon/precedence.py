"""Which utterance goes before which, and which gives way: the priorities of speech-dispatcher.

The rules are those of SSIP ("Priority Categories" of its manual, brailcom/speechd doc/ssip.texi),
between all utterances for the speaker, whoever asked for them. Streams to clients disturb nobody:
there a priority decides only whose first audio is made first.

Two things are said more precisely than SSIP does. A `progress` that finds the speaker in use is
postponed until nothing else waits, and then spoken like a `message`: until then only a newer one of
the same client takes its place. And an interrupted utterance is over; it is not taken up again.
"""

from __future__ import annotations

from collections.abc import Iterable

from sambertd_client.protocol import Priority

from daemon.stream import Stream

RANK: dict[Priority, int] = {
    "important": 0,
    "message": 1,
    "text": 2,
    "notification": 3,
    "progress": 4,
}


def rank(stream: Stream) -> int:
    """Less goes first."""
    return RANK[stream.wish.priority]


def first_on_air(streams: Iterable[Stream]) -> Stream | None:
    """Of the streams for the speaker, in their order of arrival, the one it plays next.

    One whose text is still to come keeps nobody waiting.
    """
    due = (s for s in streams if s.plays and (s.outbox or not s.starved))
    return min(due, key=rank, default=None)


def shares_sink(stream: Stream, other: Stream) -> bool:
    """There is one speaker; to its own connection a client may stream as it likes."""
    if stream.plays or other.plays:
        return stream.plays and other.plays
    return stream.sink == other.sink and stream.client == other.client


def before(stream: Stream, live: Iterable[Stream]) -> list[Stream]:
    """Of the live streams, in the order of their arrival, those that go before this one."""
    arrived = list(live)
    place = arrived.index(stream) if stream in arrived else len(arrived)
    mine = rank(stream), place
    return [s for at, s in enumerate(arrived) if not s.paused and (rank(s), at) < mine]


def superseded(newcomer: Stream, live: Iterable[Stream]) -> list[Stream]:
    """The streams a newcomer ends by coming, or itself where it has to give way."""
    others = [s for s in live if s is not newcomer]
    replaced = [s for s in others if _is_replaced(s, newcomer)]
    if not newcomer.plays:
        return replaced
    left = [s for s in others if s.plays and s not in replaced]
    if newcomer.wish.priority == "notification" and any(_silences(s) for s in left):
        return [*replaced, newcomer]
    return [*replaced, *(s for s in left if _gives_way(s, newcomer))]


def postpone(newcomer: Stream, live: Iterable[Stream]) -> None:
    """A progress that the speaker has no time for now waits until all others were spoken."""
    others = [s for s in live if s is not newcomer and s.plays]
    if newcomer.plays and newcomer.wish.priority == "progress":
        newcomer.postponed = any(not s.paused for s in others)
    elif newcomer.plays:
        for stream in others:
            stream.postponed |= stream.wish.priority == "progress" and not stream.sounds


def _is_replaced(stream: Stream, newcomer: Stream) -> bool:
    mine = stream.client == newcomer.client and shares_sink(stream, newcomer)
    return newcomer.wish.queue == "replace" and mine and rank(stream) >= rank(newcomer)


def _silences(stream: Stream) -> bool:
    """Whether a notification is not worth being said beside this one."""
    return stream.wish.priority != "notification" and not stream.paused


def _gives_way(stream: Stream, newcomer: Stream) -> bool:
    """SSIP's table: whether a live stream ends because of a newcomer, both for the speaker."""
    theirs, ours = stream.wish.priority, newcomer.wish.priority
    if theirs == "progress" and stream.sounds and stream.postponed:
        return ours == "important"
    if theirs == "progress" and stream.sounds:
        return ours in ("important", "message", "text")
    if theirs == "progress":
        return stream.postponed and ours == "progress" and stream.client == newcomer.client
    if theirs == "notification":
        return True
    if ours == "important":
        return theirs != "important" and stream.sounds
    return theirs == "text" and ours in ("message", "text")
