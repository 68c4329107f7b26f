"""Speech on its way from the daemon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from . import protocol as wire
from .account import Account
from .closing import Leaving
from .errors import NoDaemonError
from .feed import Feed
from .speech import Speech, pieces

if TYPE_CHECKING:
    from .client import Client


class Utterance(Account, Leaving):
    """Speech the daemon has accepted: iterate for its PCM, or `wait` while the speaker plays it.

    The iterator yields little-endian mono PCM (`format`) at `rate` Hz and raises SpeechError
    where the utterance ends in an error. Leaving the `with` block early cancels it.
    """

    def __init__(self, client: Client, speech: Speech) -> None:
        super().__init__(speech)
        self._client = client

    def append(self, text: str) -> wire.Appended:
        """More text. Raises RefusedError, where too much of it waits to be spoken."""
        return self._client.append(self.id, text)

    def end(self) -> None:
        """The text is complete."""
        self._client.end(self.id)

    def stream(self, texts: Iterable[str]) -> Iterator[bytes]:
        """Append each text as it comes, then end; the PCM meanwhile and after, as by iterating.

        `texts` may block: it is iterated by a thread of its own, in which this client must not be
        used. Where text comes faster than it is spoken it waits; an error of `texts` cancels.
        """
        with Feed(texts) as feed:
            while self.done is None and not self._speech.closed:
                if not feed.rings:
                    yield from self._take(feed)
                elif (text := self._drawn(feed)) is not None:
                    yield from self._offer(text)
                else:
                    self._client._run(self._speech.finish())
                    break
        yield from self

    def _drawn(self, feed: Feed) -> str | None:
        try:
            return feed.take()
        except BaseException:
            self.cancel()
            raise

    def _offer(self, text: str) -> Iterator[bytes]:
        """Append a text; the PCM that is here meanwhile."""
        for piece in pieces(text):
            while not self._client._run(self._speech.offer(piece)):
                yield from self._ready()
            yield from self._ready()
            if self._speech.closed or self.done is not None:
                return

    def _ready(self) -> Iterator[bytes]:
        while self._speech.ready:
            yield from self._take()

    def __iter__(self) -> Iterator[bytes]:
        while self.done is None:
            yield from self._take()

    def _take(self, feed: Feed | None = None) -> Iterator[bytes]:
        pcm = self._client._run(self._speech.take(bell=feed))
        if pcm:
            yield pcm

    def read(self) -> bytes:
        """All of the PCM that is still to come."""
        return self._client._run(self._speech.read())

    def wait(self) -> wire.Done:
        """Wait for the end, dropping audio that comes here; the daemon's account of it."""
        return self._client._run(self._speech.wait())

    def pause(self) -> None:
        """Hold it: no more audio comes, and the speaker fades out, until `resume`."""
        self._client.pause(self.id)

    def resume(self) -> None:
        """Go on where it was held; the speaker with the word that was cut."""
        self._client.resume(self.id)

    def cancel(self) -> None:
        """End it now: audio on its way is thrown away. No effect once it has ended."""
        self._client._run(self._speech.cancel())

    def _leave(self, error: BaseException | None) -> None:
        try:
            if not (self._client.closed or isinstance(error, NoDaemonError)):
                self.cancel()
        finally:
            self._speech.forget()
