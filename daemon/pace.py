"""How long speech takes, to say and to make, learnt from what was spoken."""

from __future__ import annotations

from daemon.stream import Stream

WEIGHT = 0.2  # of the newest in the running means
PRIOR_CHARS = 10  # what the first values count as


class Pace:
    """Running means, a long text counting for more than a short one.

    The first values are those of a voice on a small computer.
    """

    def __init__(self) -> None:
        self.char_s = 0.22  # seconds of speech per character
        self.factor = 0.2  # seconds of the engine per second of speech
        self.first_s = 0.2  # from a turn to the first audio
        self._chars = float(PRIOR_CHARS)
        self._audio_s = self._chars * self.char_s
        self._synth_s = self._audio_s * self.factor

    def learn(self, stream: Stream) -> None:
        """Of an utterance that was spoken to its end."""
        audio_s = stream.samples / stream.rate
        if not audio_s or not _chars(stream) or stream.cached:
            return
        self._chars += _chars(stream) - WEIGHT * self._chars
        self._audio_s += audio_s - WEIGHT * self._audio_s
        self._synth_s += stream.synth_s - WEIGHT * self._synth_s
        self.char_s, self.factor = self._audio_s / self._chars, self._synth_s / self._audio_s

    def learn_first(self, took_s: float) -> None:
        """Of the engine's first turn for an utterance."""
        self.first_s += WEIGHT * (took_s - self.first_s)

    def unheard_s(self, stream: Stream) -> float:
        """Seconds of its speech that the speaker has not played."""
        return max(0.0, self.whole_s(stream) - (stream.heard or 0) / stream.rate)

    def work_s(self, stream: Stream) -> float:
        """Seconds that the engine needs for what is not made of it."""
        return self.factor * max(0.0, self.whole_s(stream) - self.made_s(stream))

    def whole_s(self, stream: Stream) -> float:
        """Seconds of speech in all of its text so far, estimated until all is made."""
        made_s = self.made_s(stream)
        return made_s if stream.made else max(_chars(stream) * self.char_s, made_s)

    @staticmethod
    def made_s(stream: Stream) -> float:
        """Seconds of speech that the engine has made of it."""
        waiting = sum(len(piece.pcm) // stream.sample_bytes for piece in stream.outbox)
        return (stream.samples + waiting) / stream.rate


def _chars(stream: Stream) -> int:
    return stream.wish.chars + stream.appended
