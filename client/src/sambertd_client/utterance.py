"""Speech on its way from the daemon."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from . import protocol as wire
from .errors import NoDaemonError, RefusedError, ReplyError, SpeechError

if TYPE_CHECKING:
    from .client import Client

PIECE_CHARS = 500  # appended at once at most
ROOM_S = 0.1  # how long to wait before asking again whether there is room


class Utterance:
    """Speech the daemon has accepted: iterate for its PCM, or `wait` while the speaker plays it.

    The iterator yields little-endian mono PCM (`format`) at `rate` Hz and raises SpeechError
    where the utterance ends in an error. Leaving the `with` block early cancels it.

    `marks` grows by those that `say` asked for, ahead of the audio they point into; whoever reads
    them may take them out. `on_reply` is called with every reply but audio as it comes, `marks`,
    `playing` and `done` among them: so a robot moves its lips to what the speaker plays.
    """

    def __init__(self, client: Client, accepted: wire.Accepted, sent_at: float) -> None:
        self.id = accepted.id
        self.voice = accepted.voice
        self.rate = accepted.rate
        self.format = accepted.format
        self.position = accepted.position
        self.start_s = accepted.start_s  # until its first audio, as the daemon expects
        self.instance = accepted.instance  # of the daemon that speaks it
        self.done: wire.Done | None = None
        self.marks: list[wire.Mark] = []
        self.on_reply: Callable[[wire.Reply], None] | None = None
        self.ttfa_ms: float | None = None  # sending `say` -> first audio, as seen from here
        self._client = client
        self._sent_at = sent_at

    def append(self, text: str) -> wire.Appended:
        """More text. Raises RefusedError, where too much of it waits to be spoken."""
        return self._client.append(self.id, text)

    def end(self) -> None:
        """The text is complete."""
        self._client.end(self.id)

    def stream(self, texts: Iterable[str]) -> Iterator[bytes]:
        """Append each text as it comes, then end; the PCM meanwhile and after, as by iterating.

        Where text comes faster than it is spoken this waits until there is room for it.
        """
        for text in texts:
            for start in range(0, len(text), PIECE_CHARS):
                yield from self._append(text[start : start + PIECE_CHARS])
            if self.done is not None:
                return
        self.end()
        yield from self

    def _append(self, text: str) -> Iterator[bytes]:
        while self.done is None:
            try:
                self.append(text)
            except RefusedError as refusal:
                if refusal.code == wire.NOT_OPEN:  # it has just ended: its `done` says why
                    yield from self
                    return
                if refusal.code != wire.TEXT_TOO_LONG:
                    raise
                self._client._pump(time.monotonic() + ROOM_S)
                yield from self._ready()
                continue
            yield from self._ready()
            return

    def _ready(self) -> Iterator[bytes]:
        """The PCM that is here now."""
        while self.done is None and self._client._inboxes.get(self.id):
            yield from self._take()

    def __iter__(self) -> Iterator[bytes]:
        while self.done is None:
            yield from self._take()

    def _take(self) -> Iterator[bytes]:
        """The next reply; its PCM, if it is audio."""
        reply, pcm = self._client._next(self.id, self.instance)
        if isinstance(reply, (wire.Audio, wire.Playing)) and self.ttfa_ms is None:
            self.ttfa_ms = (time.monotonic() - self._sent_at) * 1000
        if isinstance(reply, wire.Audio):
            yield pcm
            if self.done is None:
                self._client._send(wire.Credit(id=self.id))
            return
        self._note(reply)
        if isinstance(reply, wire.Done) and reply.why == "error":
            raise SpeechError(reply)

    def _note(self, reply: wire.Reply) -> None:
        """A reply that is no audio."""
        if isinstance(reply, wire.Marks):
            self.marks += reply.marks
        elif isinstance(reply, wire.Done):
            self._end(reply)
        if self.on_reply is not None:
            self.on_reply(reply)

    def read(self) -> bytes:
        """All of the PCM that is still to come."""
        return b"".join(self)

    def wait(self) -> wire.Done:
        """Wait for the end, dropping audio that comes here; the daemon's account of it."""
        for _ in self:
            pass
        if self.done is None:
            raise ReplyError("the utterance ended without `done`")
        return self.done

    def pause(self) -> None:
        """Hold it: no more audio comes, and the speaker fades out, until `resume`."""
        self._client.pause(self.id)

    def resume(self) -> None:
        """Go on where it was held; the speaker from the last quiet moment before that."""
        self._client.resume(self.id)

    def cancel(self) -> None:
        """End it now: audio on its way is thrown away. No effect once it has ended."""
        if self.done is not None:
            return
        self._client.cancel(self.id)
        while self.done is None:
            reply, _ = self._client._next(self.id, self.instance)
            if not isinstance(reply, wire.Audio):
                self._note(reply)

    def _end(self, done: wire.Done) -> None:
        self.done = done
        self._forget()

    def _forget(self) -> None:
        """Replies that still come are for nobody."""
        self._client._inboxes.pop(self.id, None)

    def __enter__(self) -> Utterance:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if not isinstance(value, NoDaemonError):
                self.cancel()
        finally:
            self._forget()
