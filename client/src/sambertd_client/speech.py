"""The course of one utterance, without IO: its credit, its end, and saying it again when lost."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Union

import msgspec

from . import protocol as wire
from . import wishes as wish
from .errors import (
    CONNECTION_LOST,
    GONE,
    NO_ANSWER,
    RESTARTED,
    NoDaemonError,
    RefusedError,
    SpeechError,
)
from .line import LOOK_S, SOUNDING_S, Line, rest
from .steps import Bell, Look, Steps

PIECE_CHARS = 500  # appended at once at most
ROOM_S = 0.1  # how long to wait before asking again whether there is room
PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0  # between two tries to say it again
LEAST_S = 0.5  # what the last try has at least
LOST = frozenset({NO_ANSWER, GONE, RESTARTED, CONNECTION_LOST})
FOR_NOW = frozenset({wire.NOT_READY, wire.SHUTTING_DOWN, wire.RATE_LIMITED})
Trouble = Union[NoDaemonError, RefusedError, SpeechError]


def pieces(text: str) -> Iterator[str]:
    """A text as it may be appended."""
    return (text[start : start + PIECE_CHARS] for start in range(0, len(text), PIECE_CHARS))


class Speech:
    """What was asked to be said, and how far it is. Its generators are run by a client.

    retry_s: for so many seconds a lost daemon is waited for, and the same said again with the same
    `key`: where nobody has PCM of it yet, or takes all of it anew.
    """

    def __init__(self, line: Line, text: str, wishes: wish.Wishes, retry_s: float) -> None:
        _check_retry(retry_s, wishes)
        self._own_key = bool(wishes.get("key"))
        if retry_s and not self._own_key:
            wishes = {**wishes, "key": uuid.uuid4().hex}
        self._line = line
        self._say = wish.request(line.new_id(), text, wishes)
        self._retry_s = retry_s
        self._sent_at = 0.0
        self._sent = False
        self._owes = False  # credit for the last audio, which is consumed when the next is taken
        self._handed = False
        self._stopped = False
        self.accepted: wire.Accepted
        self.begun = 0  # how often: what came before the last time is void
        self.closed = False  # takes no more text
        self.done: wire.Done | None = None
        self.ttfa_ms: float | None = None
        self.marks: list[wire.Mark] = []
        self._told_again = False  # its marks may come anew
        self._sounds = False  # somebody moves lips to it: soon to be told that it does not
        self.on_reply: Callable[[wire.Reply], None] | None = None

    @property
    def id(self) -> str:
        return self._say.id

    @property
    def ready(self) -> bool:
        """Something is here already."""
        return self.done is None and bool(self._line.inboxes.get(self.id))

    def begin(self) -> Steps[None]:
        """Until it is accepted. What nobody hears of again must not be spoken later: cancelled."""
        self._sent_at = time.monotonic()
        try:
            try:
                yield from self._ask(self._line.timeout if self._retry_s else None)
            except (NoDaemonError, RefusedError) as trouble:
                if not self._may_repeat(trouble):
                    raise
                yield from self._repeat(trouble, self._sent_at)
        except RefusedError:
            raise
        except BaseException as error:
            again = isinstance(error, NoDaemonError) and self._own_key  # who may say it again
            if self._sent and not again:
                self.drop()
            raise

    def take(self, *, rewind: bool = False, bell: Bell | None = None) -> Steps[bytes | None]:
        """The next reply; its PCM, if it is audio. None also where the bell rings before it comes.

        rewind: the caller can begin anew.
        """
        if self._owes and self.done is None:
            self._line.send(wire.Credit(id=self.id))
        self._owes = False
        try:
            received = yield from self._next(bell)
        except NoDaemonError as lost:
            if not self._may_repeat(lost, rewind):
                raise
            yield from self._repeat(lost, time.monotonic())
            return None
        if received is None:
            return None
        reply, pcm = received
        if isinstance(reply, (wire.Audio, wire.Playing)) and self.ttfa_ms is None:
            self.ttfa_ms = (time.monotonic() - self._sent_at) * 1000
        if isinstance(reply, wire.Audio):
            self._owes = True
            self._handed = self._handed or not rewind
            return pcm
        if isinstance(reply, wire.Done) and reply.why == "error":
            trouble = SpeechError(reply)
            if self._may_repeat(trouble, rewind):
                yield from self._repeat(trouble, time.monotonic())
                return None
            self._note(reply)
            raise trouble
        self._note(reply)
        return None

    def read(self) -> Steps[bytes]:
        """All of the PCM that is still to come; all of it anew where it was lost."""
        rewind = not self._handed
        parts: list[bytes] = []
        begun = self.begun
        while self.done is None:
            pcm = yield from self.take(rewind=rewind)
            if self.begun != begun:
                begun = self.begun
                parts.clear()
            if pcm:
                parts.append(pcm)
        return b"".join(parts)

    def wait(self) -> Steps[wire.Done]:
        """Until its end, dropping audio that comes here."""
        while self.done is None:
            yield from self.take(rewind=not self._handed)
        return self.done

    def offer(self, text: str) -> Steps[bool]:
        """Append a piece; no: there was no room for it, and some time has been given."""
        request = wire.Append(id=self._line.new_id(), target=self.id, text=text)
        try:
            yield from self._line.ask(request, wire.Appended)
        except RefusedError as refusal:
            if refusal.code == wire.NOT_OPEN:  # it has just ended: its `done` says why
                self.closed = True
                return True
            if refusal.code != wire.TEXT_TOO_LONG:
                raise
            yield from rest(ROOM_S)
            return False
        return True

    def finish(self) -> Steps[None]:
        """Its text is complete; so it is where it has just ended."""
        try:
            yield from self._line.ask(
                wire.End(id=self._line.new_id(), target=self.id), wire.Appended
            )
        except RefusedError as refusal:
            if refusal.code != wire.NOT_OPEN:
                raise

    def cancel(self) -> Steps[None]:
        """Until it has ended; audio on its way is thrown away."""
        if self.done is not None:
            return
        self._stopped = True
        request = wire.Cancel(id=self._line.new_id(), target=self.id)
        yield from self._line.ask(request, wire.Cancelled)
        while self.done is None:
            received = yield from self._next()
            if received is not None and not isinstance(received[0], wire.Audio):
                self._note(received[0])

    def drop(self) -> None:
        """Have it cancelled, without waiting for that."""
        if self.done is not None:
            return
        self._stopped = True
        self.forget()
        with suppress(NoDaemonError):
            self._line.send(wire.Cancel(id=self._line.new_id(), target=self.id))

    def forget(self) -> None:
        """Replies that still come are for nobody."""
        self._line.forget(self.id)

    def _ask(self, within_s: float | None) -> Steps[None]:
        yield from self._line.meet(self._line.wait_s if within_s is None else 0.0)
        self._sent = True
        asked = self._line.ask(self._say, wire.Accepted, keep=True, within_s=within_s)
        accepted = yield from asked
        same = self.begun > 0 and accepted.instance == self.accepted.instance
        self._told_again = same and self._say.sink in ("speaker", "none")  # or it goes on there
        if not self._told_again:
            self.marks.clear()
        self.accepted = accepted
        self.begun += 1

    def _keep(self, marks: list[wire.Mark]) -> None:
        if self._told_again and self.marks and marks and marks[0].at <= self.marks[-1].at:
            self.marks.clear()
        self._told_again = False
        self.marks += marks

    def _next(self, bell: Bell | None = None) -> Steps[tuple[wire.Reply, bytes] | None]:
        """The next reply; None: another one has taken it meanwhile, or the bell rings.

        Raises NoDaemonError.
        """
        self._line.check()
        if self.done is None and self.id not in self._line.inboxes:
            raise NoDaemonError("this utterance was lost or let go; say it again", GONE)
        check_s = LOOK_S if self._retry_s else self._line.timeout
        look_s = SOUNDING_S if self._sounds else LOOK_S
        yield from self._line.listen(self.id, self.accepted.instance, check_s, bell, look_s)
        inbox = self._line.inboxes.get(self.id)
        return inbox.popleft() if inbox else None

    def _note(self, reply: wire.Reply) -> None:
        """A reply that is no audio."""
        if isinstance(reply, wire.Marks):
            self._keep(reply.marks)
        elif isinstance(reply, (wire.Playing, wire.Held)):
            self._sounds = isinstance(reply, wire.Playing)
        elif isinstance(reply, wire.Done):
            self.done = reply
            self.forget()
        if self.on_reply is not None:
            self.on_reply(reply)

    def _may_repeat(self, trouble: Trouble, rewind: bool = False) -> bool:
        if not self._retry_s or self._stopped or (self._handed and not rewind):
            return False
        if trouble.code == wire.BUSY:
            return self._say.queue != "drop"
        if trouble.code == wire.SPEAKER_UNAVAILABLE:  # one that is there again, or looked for
            return isinstance(trouble, SpeechError) or _retry_s(trouble) is not None
        return trouble.code in LOST or trouble.code in FOR_NOW

    def _repeat(self, trouble: Trouble, since: float) -> Steps[None]:
        """Say it again, with the same key, until it is accepted. Raises the last trouble.

        since: when the trouble began.
        """
        self.forget()
        self._note(wire.Held(id=self.id, why="said_again", text=str(trouble)))
        until, pause = since + self._retry_s, PAUSE_S
        while True:
            left = until - time.monotonic()
            if self._stopped or left <= 0:
                raise trouble
            yield from rest(min(max(pause, _retry_s(trouble) or 0.0), left))
            pause = min(2 * pause, LONGEST_PAUSE_S)
            if self._stopped:
                raise trouble
            if (yield Look()):
                self._say = msgspec.structs.replace(self._say, id=self._line.new_id())
                try:
                    left = until - time.monotonic()
                    yield from self._ask(min(self._line.timeout, max(left, LEAST_S)))
                    return
                except (NoDaemonError, RefusedError) as error:
                    if not self._may_repeat(error, rewind=True):
                        raise
                    trouble = error


def _retry_s(trouble: Trouble) -> float | None:
    """When the daemon wants to be asked again."""
    return trouble.retry_s if isinstance(trouble, RefusedError) else None


def _check_retry(retry_s: float, wishes: wish.Wishes) -> None:
    """Raises RefusedError where it is no time, or the text is not whole."""
    if retry_s and wishes.get("more"):
        text = (
            "retry_s is for a whole text: what comes in pieces cannot be said again. Leave it out "
            "(it is 0 then), or say each sentence with `say(sentence, retry_s=...)`"
        )
    elif not 0 <= retry_s < math.inf:
        text = f"retry_s is {retry_s!r}; give seconds, 0 or more"
    else:
        return
    raise RefusedError(wire.Error(id="", code=wire.BAD_FIELD, text=text))
