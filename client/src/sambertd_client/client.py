"""Talking to the daemon, blocking: `Client` sends requests and sorts the replies."""

from __future__ import annotations

import itertools
import os
import time
from collections import deque
from collections.abc import Iterable
from typing import TypeVar

import zmq

from . import protocol as wire
from .closing import Closing
from .credentials import Handshake, credentials
from .endpoint import client_endpoint, is_listening
from .errors import NoDaemonError, RefusedError, ReplyError
from .keyfile import AnyPath
from .subscription import Subscription
from .utterance import Utterance

DEFAULT_CREDIT = 8  # audio messages on their way to this client at most
LOOK_S = 1.0  # how long speech may be silent before we look whether the daemon still listens
LAST_WORDS_S = 0.1
R = TypeVar("R", bound=wire.Message)


class Client(Closing):
    """A connection to one daemon; not thread-safe, open one per thread.

    `timeout` is how long, in seconds, the daemon may stay silent before NoDaemonError is raised.
    Every request raises RefusedError where the daemon answers with an error.

    tcp:// needs keys: key_file (else SAMBERTD_KEY_FILE) is what `sambertctl keys new` wrote,
    server_key (else SAMBERTD_SERVER_KEY, or in the key file) what `sambertctl keys server` prints
    on the daemon's box. Raises KeyFileError where they cannot be used.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        timeout: float = 5.0,
        server_key: str | None = None,
        key_file: AnyPath | None = None,
    ) -> None:
        self.endpoint = endpoint or client_endpoint()
        given = credentials(self.endpoint, server_key, key_file)
        self.timeout = timeout
        self._token = os.urandom(4).hex()  # ids differ between clients: logs and cancel name them
        self._numbers = itertools.count(1)
        self._inboxes: dict[str, deque[tuple[wire.Reply, bytes]]] = {}
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        for option, value in (
            (zmq.LINGER, 500),
            (zmq.SNDHWM, 64),
            (zmq.RECONNECT_IVL, 50),
            (zmq.RECONNECT_IVL_MAX, 500),
            (zmq.HEARTBEAT_IVL, 1000),
            (zmq.HEARTBEAT_TIMEOUT, 3000),
        ):
            self._socket.setsockopt(option, value)
        if given is not None:
            given.apply(self._socket)
        is_remote = self.endpoint.startswith("tcp://")
        self._handshake = Handshake(self._socket, given) if is_remote else None
        try:
            self._socket.connect(self.endpoint)
        except zmq.ZMQError as error:
            self.close()
            text = f"{self.endpoint!r} is not an endpoint ({error}); write ipc:///path or tcp://host:port"
            raise NoDaemonError(text) from error

    def hello(self) -> wire.Welcome:
        """The daemon's protocol range, state and limits."""
        return self._ask(wire.Hello(id=self._new_id()), wire.Welcome)

    def voices(self) -> wire.VoiceList:
        return self._ask(wire.Voices(id=self._new_id()), wire.VoiceList)

    def status(self) -> wire.StatusReport:
        return self._ask(wire.Status(id=self._new_id()), wire.StatusReport)

    def stats(self) -> wire.StatsReport:
        """What was asked and how it went, in figures."""
        return self._ask(wire.Stats(id=self._new_id()), wire.StatsReport)

    def subscribe(self, *kinds: wire.EventKind) -> Subscription:
        """What happens from now on, of these kinds or of all. One per client."""
        return Subscription(self, wire.Subscribe(id=self._new_id(), kinds=list(kinds)))

    def engines(self) -> wire.EngineReport:
        """What runs each graph of each voice, and what is being built."""
        return self._ask(wire.Engines(id=self._new_id()), wire.EngineReport)

    def load(self, name: str) -> wire.Loaded:
        """Load the pack in this folder of the daemon's voices, or load it again; when it speaks.

        However long that takes. What is being said goes on.
        """
        instance = self.hello().instance
        try:
            return self._ask(
                wire.Load(id=self._new_id(), name=name), wire.Loaded, instance=instance
            )
        except NoDaemonError as error:
            text = "the daemon was lost while it loaded the voice; start `sambertd`, load it again"
            raise NoDaemonError(text) from error

    def unload(self, name: str) -> wire.Unloaded:
        """Take a voice out of the daemon's memory; what has begun ends on it."""
        return self._ask(wire.Unload(id=self._new_id(), name=name), wire.Unloaded)

    def cancel(
        self,
        target: str | None = None,
        *,
        scope: wire.Scope = "mine",
        priority: wire.Priority | None = None,
    ) -> wire.Cancelled:
        """End one utterance or all, or all of a priority: of this client ("mine"), of
        all connections of its user or key ("user"), or of everybody ("all": for admins).

        Ended ones are no error.
        """
        cancel = wire.Cancel(id=self._new_id(), target=target, scope=scope, priority=priority)
        return self._ask(cancel, wire.Cancelled)

    def pause(self, target: str | None = None, *, scope: wire.Scope = "mine") -> wire.Paused:
        """Hold one utterance or all, of a scope as in `cancel`, until `resume`."""
        return self._ask(wire.Pause(id=self._new_id(), target=target, scope=scope), wire.Paused)

    def resume(self, target: str | None = None, *, scope: wire.Scope = "mine") -> wire.Resumed:
        """Let go on what was held."""
        return self._ask(wire.Resume(id=self._new_id(), target=target, scope=scope), wire.Resumed)

    def append(self, target: str, text: str) -> wire.Appended:
        """More text for an utterance that was said with more=True."""
        return self._ask(wire.Append(id=self._new_id(), target=target, text=text), wire.Appended)

    def end(self, target: str) -> wire.Appended:
        """The text of an utterance is complete."""
        return self._ask(wire.End(id=self._new_id(), target=target), wire.Appended)

    def say(
        self,
        text: str,
        *,
        sink: wire.Sink = "client",
        voice: str | None = None,
        speaker: str | None = None,
        emotion: str = "neutral",
        speed: float = 1.0,
        pitch: float = 0.0,
        volume: float = 1.0,
        credit: int = DEFAULT_CREDIT,
        priority: wire.Priority = "message",
        queue: wire.Policy = "append",
        format: wire.Format = wire.FORMAT,
        rate: int | None = None,
        key: str | None = None,
        deadline_s: float | None = None,
        more: bool = False,
        markup: wire.Markup = "text",
        marks: Iterable[wire.MarkKind] = (),
        cache: wire.PhraseUse = "use",
    ) -> Utterance:
        """Ask for speech; returns as soon as the daemon has accepted it.

        sink "client" streams the PCM to the caller, "speaker" plays it where the daemon runs,
        "both" does both, "none" only makes it.
        None is the daemon's default voice, and the voice's first speaker. speed 0.5 to 2, pitch in
        semitones, -12 to 12, volume 0 to 2. credit: `audio` messages on their way at most.
        priority: what gives way to what on the speaker. queue "replace" ends what this client said
        to the same sink before, "drop" is refused while something else is said there. format and
        rate (Hz): of the PCM. key: may be sent again, after a lost answer, without being said
        twice. deadline_s: ends with SpeechError where its first audio would come later. more: the
        rest of the text follows by `Utterance.append`, `end` or `stream`; text may be "". markup:
        "text", "ssml" (one <speak> element) or "symbols". marks: kinds of marks that are wanted;
        see `Utterance.marks`. cache: what was said before is taken from there and what is new is
        kept ("use"), nothing new is kept ("recall"), all is made anew and kept ("refresh"), or
        neither ("ignore").
        """
        say = wire.Say(
            id=self._new_id(),
            text=text,
            sink=sink,
            voice=voice,
            speaker=speaker,
            emotion=emotion,
            speed=speed,
            pitch=pitch,
            volume=volume,
            credit=credit,
            priority=priority,
            queue=queue,
            format=format,
            rate=rate,
            key=key,
            deadline_s=deadline_s,
            more=more,
            markup=markup,
            marks=list(marks),
            cache=cache,
        )
        sent_at = time.monotonic()
        accepted = self._ask(say, wire.Accepted, keep=True)
        return Utterance(self, accepted, sent_at)

    def close(self) -> None:
        if self._handshake is not None:
            self._handshake.close()
        self._socket.close()
        self._context.term()

    def _new_id(self) -> str:
        return f"{self._token}-{next(self._numbers)}"

    def _send(self, message: wire.Message) -> None:
        frame = wire.encode(message)
        if len(frame) > wire.MAX_FRAME_BYTES:  # the daemon would drop the connection
            size, most = len(frame), wire.MAX_FRAME_BYTES
            text = f"the request has {size} bytes, at most {most} go in one; split the text"
            raise RefusedError(wire.Error(id=message.id, code=wire.TEXT_TOO_LONG, text=text))
        try:
            self._socket.poll(int(self.timeout * 1000), zmq.POLLOUT)
            self._socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            raise NoDaemonError(self._silence()) from None

    def _ask(
        self, request: wire.Message, answer: type[R], *, keep: bool = False, instance: str = ""
    ) -> R:
        """Send a request, return its first reply. keep: more replies follow if it is `answer`.

        instance: as for `_next`.
        """
        self._inboxes[request.id] = deque()
        try:
            self._send(request)
            reply, _ = self._next(request.id, instance)
        except BaseException:
            del self._inboxes[request.id]
            raise
        if not (keep and isinstance(reply, answer)):
            del self._inboxes[request.id]
        if isinstance(reply, wire.Error):
            raise RefusedError(reply)
        if not isinstance(reply, answer):
            raise ReplyError(f"expected {answer.__name__}, got {type(reply).__name__}")
        return reply

    def _next(self, request_id: str, instance: str = "") -> tuple[wire.Reply, bytes]:
        """The next reply to a request. instance: of the daemon that does it, if that takes long.

        Then silence is fine while that daemon says that it is live. Raises NoDaemonError.
        """
        inbox = self._inboxes.get(request_id)
        if inbox is None:
            raise NoDaemonError("the daemon was lost with this utterance; say it again")
        deadline = time.monotonic() + self.timeout
        while not inbox:
            if self._pump(min(deadline, time.monotonic() + LOOK_S)):
                continue
            if self._handshake is not None and self._handshake.failure():
                raise NoDaemonError(self._silence())
            if instance and self._is_gone():
                raise NoDaemonError(
                    "the daemon has gone and the speech was cut off; start `sambertd`, say it again"
                )
            if time.monotonic() < deadline:
                continue
            if not instance:
                raise NoDaemonError(self._silence())
            self._check_live(request_id, instance)
            deadline = time.monotonic() + self.timeout
        return inbox.popleft()

    def _is_gone(self) -> bool:
        """Nobody listens there any more, and the daemon's last words have all been read."""
        return not is_listening(self.endpoint) and not self._pump(time.monotonic() + LAST_WORDS_S)

    def _check_live(self, request_id: str, instance: str) -> None:
        """Raises NoDaemonError where no more replies to this accepted request will come."""
        welcome = self.hello()
        if self._inboxes[request_id]:
            return
        if welcome.instance != instance:
            raise NoDaemonError(
                "the daemon was restarted and has forgotten this utterance; say it again"
            )
        if welcome.live is not None and request_id not in welcome.live:
            raise NoDaemonError("the connection was lost, and with it this utterance; say it again")

    def _pump(self, deadline: float) -> bool:
        """Wait for one message and put it into its inbox; False: none came before the deadline."""
        left = deadline - time.monotonic()
        if left <= 0 or not self._socket.poll(max(1, int(left * 1000))):
            return False
        frames = self._socket.recv_multipart()
        try:
            reply, pcm = wire.decode_reply(frames)
        except wire.ProtocolError as error:
            if error.code == wire.UNKNOWN_TYPE:  # of a newer daemon: not for us
                return True
            raise ReplyError(f"the daemon's answer cannot be read: {error}") from error
        inbox = self._inboxes.get(reply.id)
        if inbox is not None:
            inbox.append((reply, pcm))
        return True

    def _silence(self) -> str:
        failure = "" if self._handshake is None else self._handshake.failure()
        if failure:
            return f"{self.endpoint} does not let this client in: {failure}"
        return (
            f"no answer from {self.endpoint} within {self.timeout:g} s; "
            "start the daemon with `sambertd`, or name another with --endpoint"
        )
