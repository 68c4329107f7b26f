"""When an utterance will be heard, as things are now. Pure policy.

Two queues have to let it through, and the later one counts.

The engine: it begins with a stream as soon as that has a place (daemon/turns.py). What the speaker
will play is made first, as far ahead as there is room; then it works on all others alike. So with m
of them the one with the least left to make, w seconds of the engine's, is through after m * w, and
its place goes to the next that waits. The rest of what has no room comes last.

The speaker: all that goes before it is heard whole, and each drains from the card before the next.

What is paused holds up neither: it counts as if it were not there, as it does until it is resumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from daemon import precedence
from daemon.pace import Pace
from daemon.stream import Stream
from daemon.turns import next_begun

OUTBOX_S, RING_S = 3.2, 4.0  # of speech fit into an outbox, and into the speaker's ring behind it
TICK_S = 0.02  # the loop looks so often whether the speaker has drained


@dataclass(frozen=True, slots=True)
class Outlook:
    """places, spare: streams that may be open, as in `turns.next_of`. latency_s: of the card.

    wake_s: silence that the card gets first if nothing is said now.
    """

    pace: Pace
    places: int
    spare: int = 0
    latency_s: float = 0.0
    wake_s: float = 0.0

    def start_s(self, stream: Stream, live: Iterable[Stream]) -> float | None:
        """Seconds until the first audio of one of the live streams is at its sink.

        live: in the order of their arrival. None: nobody knows, as it is paused, has no text yet,
        or a text that is not complete goes before it.
        """
        if stream.first_audio is not None and not stream.paused:
            return 0.0
        if stream.paused or stream.starved:
            return None
        streams = list(live)
        made = self._made_s(stream, streams)
        if not stream.plays or made is None:
            return made
        spoken = self._spoken_s(stream, streams)
        return None if spoken is None else max(made, spoken)

    def _spoken_s(self, stream: Stream, streams: Sequence[Stream]) -> float | None:
        """Until the speaker is free for it."""
        due = precedence.before(stream, streams)
        due += [s for s in streams if s.sounds and s is not stream and s not in due]
        due = [s for s in due if s.plays and (s.sounds or s.outbox or not s.starved)]
        if not due:
            return self.wake_s
        if any(s.open for s in due):
            return None
        return sum(self._rest_s(s) for s in due)

    def _rest_s(self, stream: Stream) -> float:
        """Until it is played, once its turn has come, and drained."""
        unheard_s, unmade_s = self.pace.unheard_s(stream), self.pace.work_s(stream)
        drain_s = 0.0 if stream.sounds else self.latency_s  # the heard is counted behind the card
        return max(unheard_s, unmade_s) + drain_s + TICK_S

    def _made_s(self, stream: Stream, streams: Sequence[Stream]) -> float | None:
        """Until the engine has made its first audio."""
        if stream.known or stream.has_begun:
            return 0.0
        if stream.started:
            return self.pace.first_s
        return self._begun_s(stream, streams)

    def _begun_s(self, stream: Stream, streams: Sequence[Stream]) -> float | None:
        """Until it has a place, and its first audio after that."""
        hasty = next((s for s in streams if s.sounds), None) or precedence.first_on_air(streams)
        waiting = [s for s in streams if s.waits]
        if stream not in waiting:
            waiting.append(stream)  # it is over: it came, and had to give way
        active = {
            s: self._work(s, hasty) for s in streams if s.started and not s.made and not s.known
        }
        passed_s, turns = 0.0, 0
        while True:
            while one := next_begun(waiting, active, self.places, self.spare):
                turns += 1
                if one is stream:
                    return passed_s + turns * self.pace.first_s
                waiting.remove(one)
                active[one] = self._work(one, hasty)
            passed_s += sum(work.at_once_s for work in active.values())
            last = all(work.last for work in active.values())
            group = [one for one, work in active.items() if work.last == last]
            first = min(group, key=lambda s: active[s].rest_s)
            if first.open:
                return None
            least_s, turns = active[first].rest_s, 0
            passed_s += least_s * len(group)
            del active[first]
            active = {s: work.after(least_s if s in group else 0.0) for s, work in active.items()}

    def _work(self, stream: Stream, hasty: Stream | None) -> _Work:
        work_s, at_once_s = self.pace.work_s(stream), 0.0
        if stream.plays:
            room_s = OUTBOX_S + (RING_S if stream is hasty else 0.0)
            room_s -= self.pace.made_s(stream) - (stream.heard or 0) / stream.rate
            at_once_s = min(work_s, self.pace.factor * max(0.0, room_s))
        rest_s = work_s - at_once_s
        full = stream.plays or stream.paused or not stream.has_room
        return _Work(rest_s, at_once_s, full and rest_s > 0)


class _Work(NamedTuple):
    """What the engine has to make of a stream, in its seconds: by turns, and at once before that.

    last: by turns, but after those who have room.
    """

    rest_s: float
    at_once_s: float
    last: bool

    def after(self, rest_s: float) -> _Work:
        """All of it at once, and so much by turns, is made."""
        return _Work(self.rest_s - rest_s, 0.0, self.last)
