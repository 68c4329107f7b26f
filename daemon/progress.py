"""How far an utterance is, told now and then to a client that asked: only where there is room."""

from __future__ import annotations

from sambertd_client import protocol as wire

from daemon.events import Post
from daemon.pace import Pace
from daemon.stream import Stream

PERIOD_S = 0.25
SLOWER_AFTER = 100  # of one utterance; then half as often, again and again: their number is bounded


class Progress:
    """Sends `progress`, and drops it where the client's pipe is full."""

    def __init__(self, post: Post, pace: Pace) -> None:
        self._post, self._pace = post, pace

    def tell(self, stream: Stream, now: float) -> None:
        """What has changed, if enough time has passed since the last one."""
        if not stream.wish.progress or now < stream.progress_due or not stream.has_begun:
            return
        told = wire.Progress(
            id=stream.id,
            made=stream.made_bytes // stream.sample_bytes,
            samples=stream.samples,
            heard_samples=stream.heard,
            sentence=stream.sentence,
            total_s=self._pace.whole_s(stream),
        )
        if told == stream.progress:
            return
        stream.progress = told
        stream.progress_due = now + PERIOD_S * 2 ** (stream.progress_told // SLOWER_AFTER)
        stream.progress_told += 1
        self._post.send(stream.client, [wire.encode(told)])
