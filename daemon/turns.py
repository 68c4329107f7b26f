"""Whose turn of the engine it is. Pure policy.

A stream that waits is begun as soon as a place is free: by priority, then of the client with the
fewest in work, then the oldest. Else: first audio first, then those with room in their outbox, the
speaker (it runs dry) before all else, then the client that waited longest, its stream that did.
Where all places are taken, a few spare ones are for an important utterance and for those of clients
who have nothing in work: a client with many long texts does not keep others waiting for their first
audio. While somebody waits for a place, a full outbox is no reason to pause: who has a place goes
on to its end, so a slow client holds up nobody. What is known whole needs neither place nor turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from daemon import precedence
from daemon.stream import Stream


def next_of(streams: Collection[Stream], places: int, spare: int = 0) -> Stream | None:
    """Of the streams, in the order of their arrival, the one to be worked on; None: there is none.

    places: how many of them may be open at once. spare: how many more, of newcomers.
    """
    opened = [s for s in streams if s.started and not s.made and not s.known]
    waiting = [s for s in streams if s.waits]
    newcomer = next_begun(waiting, opened, places, spare)
    if newcomer is not None:
        return newcomer
    ready = [s for s in opened if waiting or s.has_room]
    last: dict[bytes, int] = {}  # turn of each client
    for stream in opened:
        last[stream.client] = max(stream.turn, last.get(stream.client, 0))
    return min(ready, key=lambda s: (*_urgency(s), last[s.client], s.turn), default=None)


def next_begun(
    waiting: Collection[Stream], opened: Collection[Stream], places: int, spare: int = 0
) -> Stream | None:
    """Of those that wait, in the order of their arrival, the one that gets a place now."""
    if len(opened) < places:
        in_work = Counter(stream.client for stream in opened)
        return min(waiting, key=lambda s: (precedence.rank(s), in_work[s.client]), default=None)
    if len(opened) >= places + spare:
        return None
    busy = {stream.client for stream in opened}
    guests = (s for s in waiting if s.client not in busy or not precedence.rank(s))
    return min(guests, key=precedence.rank, default=None)


def _urgency(stream: Stream) -> tuple[bool, bool, bool, int]:
    """Less is more urgent. A priority counts until the first audio, and for the speaker's queue."""
    rank = precedence.rank(stream) if stream.plays or not stream.has_begun else 0
    return stream.has_begun, not stream.has_room, not stream.plays, rank
