"""How far the ear is behind the ring: what of an utterance has sounded, and what to take back.

The sound card says when it took the first sample; from there on the clock counts, and waits where
the card takes no more: the ring ran dry, or the card was lost for a while.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from daemon.stream import Piece, Stream, Word

LONGEST_WORD_S = 2.0  # that is said again from its beginning
REWIND_S = 0.5  # how far back a quiet moment is looked for, where no words are known
FRAME_S = 0.02
FADE_S = 0.008


class Heard:
    """Of the one utterance that is on the air. Counts are of its samples, s16le mono."""

    def __init__(self, stream: Stream, latency_s: float) -> None:
        self._stream = stream
        self._latency_s = latency_s
        self.first = stream.samples  # the sample that sounds first, this time
        self._base = stream.samples  # heard before `_since`
        self._since: float | None = None
        self._written: deque[tuple[int, Piece]] = deque()  # and the first sample's number

    def started(self, at: float) -> None:
        """The card was given the first samples."""
        if self._since is None:
            self._since = at

    def went_on(self, at: float, samples: int) -> int:
        """A card took samples again, when so many had been given to a lost one; the first of it."""
        self._base, self._since = max(self._base, self.first + samples), at
        return self._base

    def took(self, samples: int, now: float) -> None:
        """So many samples has the card been given in all, this time; asked again and again."""
        taken = self.first + samples
        if self._since is not None and self._by_clock(now) >= taken:
            self._base, self._since = taken, now

    def wrote(self, piece: Piece, now: float) -> None:
        """This piece, the first of the outbox, goes to the ring."""
        self._written.append((self._stream.samples, piece))
        heard, rate = self.count(now), self._stream.rate
        word = self._word(heard)
        kept = heard - int(REWIND_S * rate)
        if word is not None and word.start >= heard - int(LONGEST_WORD_S * rate):
            kept = min(kept, word.start)
        while self._written and _end(*self._written[0]) < kept:
            self._written.popleft()
        while self._stream.words and self._stream.words[0].end < kept:
            self._stream.words.popleft()

    def count(self, now: float) -> int:
        """Samples that have left the card's buffer."""
        if self._since is None:
            return self._base
        return max(self._base, min(self._stream.samples, self._by_clock(now)))

    def _by_clock(self, now: float) -> int:
        assert self._since is not None
        played = int((now - self._since - self._latency_s) * self._stream.rate)
        return self._base + played

    def handed(self, now: float) -> int:
        """The sample that the card is given now."""
        return self.count(now + self._latency_s)

    def take_back(self, now: float) -> None:
        """Put what was not heard back into the outbox, from the beginning of the word at hand.

        Where words are not known, from the last quiet moment on.
        """
        stream, heard = self._stream, self.count(now)
        if not self._written or heard >= stream.samples:
            return
        resume = self._resume(heard)
        back = [
            Piece(piece.pcm[2 * max(0, resume - at) :], piece.sentence)
            for at, piece in self._written
            if _end(at, piece) > resume
        ]
        if back:
            back[0] = Piece(fade_in(back[0].pcm, stream.rate), back[0].sentence)
        stream.outbox.extendleft(reversed(back))
        stream.samples, stream.heard = resume, resume
        stream.seq = max(0, stream.seq - len(back))
        self._written.clear()

    def _resume(self, heard: int) -> int:
        """From which sample on it is said again: no word is cut in two."""
        first, word = self._written[0][0], self._word(heard)
        if word is not None and word.start >= first:
            return word.start
        if word is None and self._stream.words:
            return heard  # between two words
        pcm = b"".join(piece.pcm for _, piece in self._written)
        return first + quietest(pcm[: 2 * (heard - first)], self._stream.rate)

    def _word(self, sample: int) -> Word | None:
        """The word that a sample is in."""
        return next((w for w in self._stream.words if w.start <= sample < w.end), None)


def quietest(pcm: bytes, rate: int) -> int:
    """Where the quietest 20 ms of the last half second begin, the latest of them; in samples."""
    frame = int(FRAME_S * rate)
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    count = min(len(samples), int(REWIND_S * rate)) // frame
    if count == 0:
        return len(samples)
    start = len(samples) - count * frame
    power = np.square(samples[start:]).reshape(count, frame).mean(axis=1)
    return start + frame * (count - 1 - int(power[::-1].argmin()))


def fade_in(pcm: bytes, rate: int) -> bytes:
    """Its first 8 ms rise along a raised cosine."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    count = min(len(samples), int(FADE_S * rate))
    samples[:count] *= 0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / max(1, count))
    return np.rint(samples).astype("<i2").tobytes()


def _end(at: int, piece: Piece) -> int:
    return at + len(piece.pcm) // 2
