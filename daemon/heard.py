"""How far the ear is behind the ring: what of an utterance has sounded, and what to take back.

The sound card says when it took the first sample; from there on the clock counts, until the ring
runs dry. So a card that stutters is taken for one that does not.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from daemon.stream import Piece, Stream

REWIND_S = 0.5  # how far back a pause between two words is looked for
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

    def wrote(self, piece: Piece, now: float) -> None:
        """This piece, the first of the outbox, goes to the ring."""
        samples = self._stream.samples
        if self._base < samples <= self.count(now):  # the ring ran dry
            self._base, self._since = samples, now
        self._written.append((samples, piece))
        kept = self.count(now) - int(REWIND_S * self._stream.rate)
        while self._written and _end(*self._written[0]) < kept:
            self._written.popleft()

    def count(self, now: float) -> int:
        """Samples that have left the card's buffer."""
        if self._since is None:
            return self._base
        played = int((now - self._since - self._latency_s) * self._stream.rate)
        return max(self._base, min(self._stream.samples, self._base + played))

    def take_back(self, now: float) -> None:
        """Put what was not heard back into the outbox, from the last quiet moment on."""
        stream, heard = self._stream, self.count(now)
        if not self._written or heard >= stream.samples:
            return
        first = self._written[0][0]
        pcm = b"".join(piece.pcm for _, piece in self._written)
        resume = first + quietest(pcm[: 2 * (heard - first)], stream.rate)
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
