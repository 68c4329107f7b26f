"""How long speech takes, learnt from what was spoken: when a newcomer will be heard."""

from __future__ import annotations

from collections.abc import Iterable

from daemon import precedence
from daemon.stream import Stream

WEIGHT = 0.2  # of the newest utterance in the running means


class Pace:
    """Running means; the first values are those of a voice on a small computer."""

    def __init__(self) -> None:
        self.char_s = 0.22  # seconds of speech per character
        self.factor = 0.2  # seconds of the engine per second of speech
        self.first_s = 0.2  # from a turn to the first audio

    def learn(self, stream: Stream) -> None:
        """Of an utterance that was spoken to its end."""
        audio_s = stream.samples / stream.rate
        if not audio_s or not _chars(stream) or stream.cached:
            return
        self.char_s += WEIGHT * (audio_s / _chars(stream) - self.char_s)
        self.factor += WEIGHT * (stream.synth_s / audio_s - self.factor)

    def learn_first(self, took_s: float) -> None:
        """Of the engine's first turn for an utterance."""
        self.first_s += WEIGHT * (took_s - self.first_s)

    def start_s(self, newcomer: Stream, live: Iterable[Stream], places: int) -> float | None:
        """Seconds until the first audio of a newcomer; `places` may be in work at once."""
        if newcomer.paused:
            return None
        if newcomer.first_audio is not None:
            return 0.0
        ahead = precedence.before(newcomer, live)
        first_s = 0.0 if newcomer.known else self.first_s
        if newcomer.plays:
            queue = [s for s in ahead if s.plays]
            return sum(self._unheard_s(s) for s in queue) + first_s
        if newcomer.known:
            return first_s
        unmade = [s for s in ahead if not s.made]
        if len(unmade) < places:
            return self.first_s * (1 + sum(not s.has_begun for s in unmade))
        return self.factor * min(self._unmade_s(s) for s in unmade) + self.first_s

    def _unheard_s(self, stream: Stream) -> float:
        return max(0.0, self.whole_s(stream) - (stream.heard or 0) / stream.rate)

    def _unmade_s(self, stream: Stream) -> float:
        return max(0.0, self.whole_s(stream) - self._made_s(stream))

    def whole_s(self, stream: Stream) -> float:
        """Seconds of speech in all of its text so far, estimated until all is made."""
        made_s = self._made_s(stream)
        return made_s if stream.made else max(_chars(stream) * self.char_s, made_s)

    @staticmethod
    def _made_s(stream: Stream) -> float:
        waiting = sum(len(piece.pcm) // stream.sample_bytes for piece in stream.outbox)
        return (stream.samples + waiting) / stream.rate


def _chars(stream: Stream) -> int:
    return stream.wish.chars + stream.appended
