"""One connection's requests and replies, without IO: who waits for what, and what silence means."""

from __future__ import annotations

import itertools
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from . import protocol as wire
from .errors import (
    CLOSED,
    CONNECTION_LOST,
    GONE,
    RESTARTED,
    NoDaemonError,
    RefusedError,
    ReplyError,
)
from .steps import Bell, Look, Steps, Wait

LOOK_S = 1.0  # how long speech may be silent before we look whether the daemon still listens
SOUNDING_S = 0.25  # the same while the speaker plays it: lips stop with the sound
SOON_S = 0.1  # the same for the answer to a request, and between two looks for a daemon
LAST_WORDS_S = 0.1
START = "start the daemon with `sambertd`, or name another endpoint"
LOADING, RELOADING = "loaded the voice", "read its settings"
R = TypeVar("R", bound=wire.Message)
Inbox = deque[tuple[wire.Reply, bytes]]


class Line:
    """Sorts what comes into the inboxes of the requests it answers.

    `put` sends a frame and tells whether it could; `refused` why the daemon does not let us in, or
    ""; `timeout` and `wait_s` are in seconds, as of `Client`.
    """

    def __init__(
        self,
        endpoint: str,
        timeout: float,
        put: Callable[[bytes], bool],
        refused: Callable[[], str] = str,
        wait_s: float = 0.0,
    ) -> None:
        self.endpoint = endpoint
        self.timeout, self.wait_s = timeout, wait_s
        self.inboxes: dict[str, Inbox] = {}
        self.closed = False
        self.subscription = ""  # the id of the newest: a connection has one
        self._put, self._refused = put, refused
        self._is_local = endpoint.startswith("ipc://")  # there we know whether anybody listens
        self._met = False  # a daemon has been there, and not been missed since
        self._token = os.urandom(4).hex()  # ids differ between clients: logs and cancel name them
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        return f"{self._token}-{next(self._numbers)}"

    def close(self) -> None:
        """Whoever asks or waits from now on is told that it is closed."""
        self.closed = True
        self.inboxes.clear()

    def check(self) -> None:
        """Raises NoDaemonError, with the code closed, where it is."""
        if self.closed:
            raise NoDaemonError("this client was closed; make another one", CLOSED)

    def send(self, message: wire.Message) -> None:
        """Raises RefusedError where it is no UTF-8 or too large, NoDaemonError for a full queue."""
        self.check()
        try:
            frame = wire.encode(message)
        except UnicodeEncodeError as error:
            sign, at = error.object[error.start], error.start
            text = f"{sign!a} at {at} is half a character; decode text as UTF-8, or leave it out"
            raise RefusedError(wire.Error(id=message.id, code=wire.BAD_FIELD, text=text)) from error
        if len(frame) > wire.MAX_FRAME_BYTES:  # the daemon would drop the connection
            size, most = len(frame), wire.MAX_FRAME_BYTES
            text = f"the request has {size} bytes, at most {most} go in one; split the text"
            raise RefusedError(wire.Error(id=message.id, code=wire.TEXT_TOO_LONG, text=text))
        if not self._put(frame):
            raise NoDaemonError(self.silence())

    def feed(self, frames: Sequence[bytes]) -> str:
        """Sort a message in; the id whose inbox it came to, or "". Raises ReplyError."""
        try:
            reply, pcm = wire.decode_reply(frames)
        except wire.ProtocolError as error:
            if error.code == wire.UNKNOWN_TYPE:  # of a newer daemon: not for us
                return ""
            raise ReplyError(f"the daemon's answer cannot be read: {error}") from error
        inbox = self.inboxes.get(reply.id)
        if inbox is None:
            return ""
        inbox.append((reply, pcm))
        self._met = True
        return reply.id

    def forget(self, request_id: str) -> None:
        """Replies that still come are for nobody."""
        self.inboxes.pop(request_id, None)

    def ask(
        self,
        request: wire.Message,
        answer: type[R],
        *,
        keep: bool = False,
        instance: str = "",
        within_s: float | None = None,
    ) -> Steps[R]:
        """Send a request, return its first reply. keep: more replies follow if it is `answer`.

        instance: of the daemon that does it, if that takes long. Then silence is fine while that
        daemon says that it is live. within_s: wait so long for the answer, and not at all for a
        daemon that is not there. Raises RefusedError, NoDaemonError, ReplyError.
        """
        self.check()
        yield from self.meet(self.wait_s if within_s is None else 0.0)
        self.inboxes[request.id] = deque()
        kept = False
        try:
            self.send(request)
            if instance:
                yield from self.listen(request.id, instance, self.timeout)
            reply, _ = yield from self.next(request.id, within_s)
            kept = keep and isinstance(reply, answer)
        finally:
            if not kept:
                self.forget(request.id)
        if isinstance(reply, wire.Error):
            raise RefusedError(reply)
        if not isinstance(reply, answer):
            raise ReplyError(f"expected {answer.__name__}, got {type(reply).__name__}")
        return reply

    def ask_long(self, request: wire.Message, answer: type[R], doing: str) -> Steps[R]:
        """As `ask`, for what takes as long as it takes."""
        welcome = yield from self.ask(wire.Hello(id=self.new_id()), wire.Welcome)
        try:
            return (yield from self.ask(request, answer, instance=welcome.instance))
        except NoDaemonError as error:
            text = f"the daemon was lost while it {doing}; start `sambertd`, ask it again"
            raise NoDaemonError(text, error.code) from error

    def next(
        self, request_id: str, within_s: float | None = None
    ) -> Steps[tuple[wire.Reply, bytes]]:
        """The next reply to a request. Raises NoDaemonError where none comes.

        That is after `within_s`, else `timeout`, of a daemon that listens.
        """
        inbox = self.inboxes[request_id]
        patience_s = self.timeout if within_s is None else within_s
        began = time.monotonic()
        deadline, look_s = began + patience_s, SOON_S if self._is_local else LOOK_S
        while not inbox:
            if (yield Wait(request_id, min(deadline, time.monotonic() + look_s))):
                continue
            look_s = LOOK_S
            if time.monotonic() >= deadline or self._refused():
                raise NoDaemonError(self.silence(patience_s))
            if self._is_local and (yield from self._is_gone(request_id)):
                self._met = False
                wait_s = self.wait_s if within_s is None else 0.0
                yield from self.meet(began + wait_s - time.monotonic())
                deadline = time.monotonic() + patience_s
        return inbox.popleft()

    def meet(self, wait_s: float) -> Steps[None]:
        """Nothing where a daemon has been there already; else until one listens.

        Raises NoDaemonError where none does so long.
        """
        if self._met or not self._is_local:
            return
        deadline = time.monotonic() + wait_s
        while not (yield Look()):
            left = deadline - time.monotonic()
            if left <= 0:
                text = f"no daemon listens on {self.endpoint}; {START}"
                raise NoDaemonError(text)
            yield from rest(min(left, SOON_S))
        self._met = True

    def listen(
        self,
        request_id: str,
        instance: str,
        check_s: float,
        bell: Bell | None = None,
        look_s: float = LOOK_S,
    ) -> Steps[None]:
        """Wait for speech: returns when something has come, its inbox is gone, or the bell rings.

        instance: of the daemon that speaks it. Silence is fine while that one says every
        `check_s` that it is live, and every `look_s` somebody listens there. Raises NoDaemonError.
        """
        deadline = time.monotonic() + check_s
        while self._is_silent(request_id) and not (bell and bell.rings):
            if (yield Wait(request_id, min(deadline, time.monotonic() + look_s), bell)):
                continue
            if (yield from self._is_gone(request_id)):
                text = (
                    "the daemon has gone and the speech was cut off; start `sambertd`, say it again"
                )
                raise NoDaemonError(text, GONE)
            if time.monotonic() >= deadline:
                yield from self._check_live(request_id, instance)
                deadline = time.monotonic() + check_s

    def _is_silent(self, request_id: str) -> bool:
        inbox = self.inboxes.get(request_id)
        return inbox is not None and not inbox

    def _is_gone(self, request_id: str) -> Steps[bool]:
        """Nobody listens there any more, and the daemon's last words have all been read."""
        if (yield Look()) or self.inboxes.get(request_id):
            return False
        return not (yield Wait(request_id, time.monotonic() + LAST_WORDS_S))

    def _check_live(self, request_id: str, instance: str) -> Steps[None]:
        """Raises NoDaemonError where no more replies to this accepted request will come."""
        welcome = yield from self.ask(wire.Hello(id=self.new_id()), wire.Welcome)
        if not self._is_silent(request_id):
            return
        if welcome.instance != instance:
            text = "the daemon was restarted and has forgotten this utterance; say it again"
            raise NoDaemonError(text, RESTARTED)
        if welcome.live is not None and request_id not in welcome.live:
            text = "the connection was lost, and with it this utterance; say it again"
            raise NoDaemonError(text, CONNECTION_LOST)

    def silence(self, for_s: float | None = None) -> str:
        """What to say where no answer comes, for so long or `timeout`."""
        refusal = self._refused()
        if refusal:
            return f"{self.endpoint} does not let this client in: {refusal}"
        waited_s = self.timeout if for_s is None else for_s
        return f"no answer from {self.endpoint} within {waited_s:.3g} s; {START}"


def rest(seconds: float) -> Steps[None]:
    """Let time go by."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield Wait("", until)
