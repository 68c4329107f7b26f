"""Talking to the daemon, blocking: `Client` sends requests and sorts the replies."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import zmq
from zmq import zmq_poll

from . import protocol as wire
from .ahead import Told, prefetch
from .closing import Closing
from .connection import Connection
from .endpoint import is_listening
from .keyfile import AnyPath
from .line import LOADING, RELOADING
from .speech import Speech
from .steps import Bell, Look, Step, Steps
from .subscription import Subscription
from .utterance import Utterance
from .wishes import Manner, Wishes

if TYPE_CHECKING:
    from .wishes import Unpack

SIGNAL_S = 0.5  # a signal that comes just before poll() is heeded only after it
R = TypeVar("R", bound=wire.Message)
T = TypeVar("T")


class Client(Connection["zmq.Socket[bytes]"], Closing):
    """A connection to one daemon; not thread-safe, open one per thread.

    `timeout` is how long, in seconds, the daemon may stay silent before NoDaemonError is raised.
    Where nobody listens on a socket file (ipc://) the first request says so at once; wait_s: for so
    many seconds it waits for a daemon that is just starting. Making a client asks nobody.
    Every request raises RefusedError where the daemon answers with an error. `AsyncClient` is the
    same for asyncio.

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
        wait_s: float = 0.0,
    ) -> None:
        super().__init__(zmq.Context(), endpoint, timeout, server_key, key_file, wait_s)

    def hello(self) -> wire.Welcome:
        """The daemon's protocol range, state and limits."""
        return self._ask(wire.Hello(id=self._new_id()), wire.Welcome)

    def voices(self) -> wire.VoiceList:
        """The voices there are, and packs that could not be loaded."""
        return self._ask(wire.Voices(id=self._new_id()), wire.VoiceList)

    def status(self) -> wire.StatusReport:
        """What the daemon is doing and how well."""
        return self._ask(wire.Status(id=self._new_id()), wire.StatusReport)

    def stats(self) -> wire.StatsReport:
        """What was asked and how it went, in figures."""
        return self._ask(wire.Stats(id=self._new_id()), wire.StatsReport)

    def engines(self) -> wire.EngineReport:
        """What runs each graph of each voice, and what is being built."""
        return self._ask(wire.Engines(id=self._new_id()), wire.EngineReport)

    def load(self, name: str) -> wire.Loaded:
        """Load the pack in this folder of the daemon's voices, or load it again; when it speaks.

        However long that takes. What is being said goes on.
        """
        load = wire.Load(id=self._new_id(), name=name)
        return self._run(self._line.ask_long(load, wire.Loaded, LOADING))

    def reload(self) -> wire.Reloaded:
        """Have the settings and the folder of voices read again; once all of it counts.

        Raises RefusedError, with the code bad_config, where the settings are wrong.
        """
        reload = wire.Reload(id=self._new_id())
        return self._run(self._line.ask_long(reload, wire.Reloaded, RELOADING))

    def unload(self, name: str) -> wire.Unloaded:
        """Take a voice out of the daemon's memory; what has begun ends on it."""
        return self._ask(wire.Unload(id=self._new_id(), name=name), wire.Unloaded)

    def subscribe(self, *kinds: wire.EventKind) -> Subscription:
        """What happens from now on, of these kinds or of all. One per client: a newer ends it."""
        return Subscription(self, kinds)

    def events(self, *kinds: wire.EventKind) -> Iterator[wire.Event]:
        """The same as an iterator, from its first `next` until it is closed."""
        with self.subscribe(*kinds) as happening:
            yield from happening

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

    def say(self, text: str, *, retry_s: float = 0.0, **wishes: Unpack[Wishes]) -> Utterance:
        """Ask for speech, as `Wishes` tells; returns as soon as the daemon has accepted it.

        retry_s: where the daemon is away or lost it is waited for so many seconds (for one that
        listens and is silent `timeout`, if that is more), and the same said again with the same
        key: never twice by one daemon, and by the next from its beginning. For whole texts. Where
        PCM has been handed to the caller already, NoDaemonError is raised instead; `read` and
        `wait` begin anew. A daemon that is loading or busy is asked again. What had no answer in
        the end is taken back, so that nobody is surprised by it later; not with a `key` of yours,
        for you may say it again yourself.
        """
        speech = Speech(self._line, text, wishes, retry_s)
        self._run(speech.begin())
        return Utterance(self, speech)

    def prefetch(
        self, texts: Sequence[str], told: Told | None = None, **manner: Unpack[Manner]
    ) -> wire.Prefetched:
        """Have texts made ready, to be said at once later; when all are, or cannot be.

        As many as you like. The daemon makes them when nobody speaks, as `say` would with the same
        manner. told: called with how far it is. `failures` tells the texts that cannot be said, by
        their index. Where this is left early, what is left is not made.
        """
        return self._run(prefetch(self._line, texts, manner, told))

    def stream(
        self,
        text: str | Iterable[str],
        *,
        retry_s: float = 0.0,
        **wishes: Unpack[Wishes],
    ) -> Iterator[bytes]:
        """The PCM of a text, or of texts as they come; leaving early cancels it.

        Texts are iterated by a thread of their own, in which this client must not be used. retry_s
        is for a whole text: what came in pieces is gone when it is lost. RefusedError otherwise.
        """
        if isinstance(text, str):
            with self.say(text, retry_s=retry_s, **wishes) as speech:
                yield from speech
            return
        wishes["more"] = True
        with self.say("", retry_s=retry_s, **wishes) as speech:
            yield from speech.stream(text)

    def close(self) -> None:
        """Let go of the connection; what it said to the speaker is still spoken."""
        self._hang_up()
        self._context.term()

    def _ask(self, request: wire.Message, answer: type[R]) -> R:
        return self._run(self._line.ask(request, answer))

    def _run(self, steps: Steps[T]) -> T:
        """Do what the logic asks for, until it has its result."""
        try:
            step = next(steps)
            while True:
                step = steps.send(self._do(step))
        except StopIteration as end:
            return cast(T, end.value)
        finally:
            steps.close()

    def _do(self, step: Step) -> bool:
        self._line.check()
        if isinstance(step, Look):
            return is_listening(self.endpoint)
        return self._pump(step.until, step.bell)

    def _pump(self, deadline: float, bell: Bell | None = None) -> bool:
        """Wait for one message and sort it in, or for the bell; False: neither came in time."""
        watched: list[Any] = [self._socket] if bell is None else [self._socket, bell]
        ready: list[Any] = []
        while not ready and (left := deadline - time.monotonic()) > 0:
            for_ms = math.ceil(1000 * min(left, SIGNAL_S))
            ready = zmq_poll([(one, zmq.POLLIN) for one in watched], for_ms)
        if any(one is self._socket for one, _ in ready):
            self._line.feed(self._socket.recv_multipart())
        return bool(ready)

    def _put(self, frame: bytes) -> bool:
        try:
            self._socket.poll(int(self.timeout * 1000), zmq.POLLOUT)
            self._socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True
