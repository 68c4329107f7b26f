"""The daemon's life: startup -> serve -> shutdown. It owns the parts; signals only set a flag."""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path

from sambertd_client import protocol as wire

from daemon import activation
from daemon import worker as engine
from daemon.building import Builder
from daemon.config import Config
from daemon.delivery import Deliverer
from daemon.key_ring import KeyRing
from daemon.lexicons import Lexicons
from daemon.lock import EndpointLock, LockError
from daemon.metrics import Metrics, MetricsError
from daemon.notify import Notifier
from daemon.peers import Peers
from daemon.playback import Speaker
from daemon.scheduler import Scheduler
from daemon.service import Service
from daemon.stats import Stats
from daemon.swapping import Swapper
from daemon.transport import Transport, TransportError, Waker
from daemon.voices import Shelf, load_voices

log = logging.getLogger(__name__)
EXIT_OK, EXIT_ENDPOINT, EXIT_VOICE, EXIT_INTERNAL = 0, 3, 4, 70
STALL_S = 30.0  # a thread that gives no sign of life for longer stops the watchdog's pings
LOAD_STEP_S = 600.0  # from one word of what is being loaded or built to the next, at most
STDERR = 2
Loader = Callable[[Callable[[str], None]], Shelf]


class Server:
    """One daemon. `run` blocks until `stop`, a signal or a fatal error; returns the exit code."""

    def __init__(
        self,
        config: Config,
        load: Loader | None = None,
        builder: Builder | None = None,
        reread: Callable[[], Config] | None = None,
    ) -> None:
        """reread: the settings as they are now, on `reload`; raises ConfigError."""
        self._config = config
        self._builder = builder or Builder(config.engines.store)
        self._load = load or partial(
            load_voices,
            config.voices,
            config.voice,
            config.engines,
            config.limits.in_work,
            build=self._builder.build if config.engines.build == "wait" else None,
            cache=config.cache,
        )
        self._should_stop = self._should_reload = False
        self._exit_code = EXIT_OK
        self._waker = Waker()
        self._notifier = Notifier()
        self._next_ping = 0.0
        self._stuck_part = ""
        path = config.socket_path
        self._lock = EndpointLock(path) if path else None
        self._transport = Transport(self._waker)
        access = config.access
        self._encrypted = access.encrypted(config.endpoint)
        self._ring = KeyRing(access.keys) if self._encrypted else None
        self._peers = Peers(access.admin_uids(), self._ring, loopback=access.insecure_loopback)
        self._worker = engine.Worker(self._waker.set)
        self._swapper = Swapper(self._waker.set)
        self._metrics = Metrics(config.metrics, self._waker.set)
        self._lexicons = Lexicons()
        self._speaker = Speaker(config.speaker, self._waker.set)
        self._loaded: Shelf | None = None  # until the speaker is settled too
        stats, limits = Stats(), config.limits
        scheduler = Scheduler(
            limits.in_work,
            limits.waiting,
            limits.stall_s,
            limits.per_client,
            limits.append_s,
            limits.pause_s,
        )
        self._deliverer = Deliverer(scheduler, self._transport, self._speaker, stats)
        self._service = Service(
            config,
            scheduler,
            self._worker,
            self._deliverer,
            self._speaker,
            stats,
            metadata.version("sambertd"),
            self._swapper,
            self._builder,
            self._notifier,
            self._peers,
            self._lexicons,
            reread or (lambda: config),
        )

    def run(self) -> int:
        try:
            return self._live()
        except (activation.ActivationError, LockError, TransportError) as error:
            log.error("%s", error)
            return EXIT_ENDPOINT
        except MetricsError as error:
            log.error("%s (%s)", error, error.code)
            return EXIT_ENDPOINT
        except Exception:
            log.exception("the daemon failed")
            return EXIT_INTERNAL
        finally:
            self._release()

    def stop(self) -> None:
        """End `run` soon; from any thread."""
        self._should_stop = True
        self._waker.set()

    def hang_up(self) -> None:
        """Read the settings again soon, from any thread; end where it is a terminal that closes."""
        if os.isatty(STDERR):
            self.stop()
        self._should_reload = True
        self._waker.set()

    def _live(self) -> int:
        """From start to end; the exit code.

        Raises ActivationError, LockError, MetricsError, TransportError.
        """
        self._startup()
        try:
            self._serve()
        except Exception:
            log.exception("the loop failed")
            self._fail()
        self._shutdown()
        return self._exit_code

    def _startup(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self.stop())
            signal.signal(signal.SIGHUP, lambda *_: self.hang_up())
        path = self._config.socket_path
        fd = activation.inherited(os.environ, path)
        if self._lock is not None:
            self._lock.acquire(keep_socket=fd is not None)
        self._metrics.open()
        self._listen(path, fd)
        self._worker.start(self._load_all)

    def _load_all(self) -> Shelf:
        """On the engine's thread."""
        self._lexicons.change(self._config.text)
        self._lexicons.look()
        return self._load(self._tell)

    def _listen(self, path: Path | None, fd: int | None) -> None:
        """Raises TransportError."""
        if self._config.endpoint not in self._encrypted:
            self._transport.bind(self._config.endpoint, path, fd)
            log.info("listening on %s", self._config.endpoint)
        for endpoint in self._encrypted:
            assert self._ring is not None
            self._transport.bind_encrypted(endpoint, self._ring)
            log.info("listening on %s, encrypted", endpoint)

    def _serve(self) -> None:
        while not self._should_stop:
            self._transport.wait(self._pause_s())
            for came in self._transport.receive():
                self._take_leave()  # first: it may be another's, under the same routing id
                self._service.receive(came.client, came.frames, self._peers.of(came.origin))
            self._take_leave()
            for owner in self._peers.gone():
                self._service.banish(owner)
            self._take_results()
            if self._should_reload:
                self._should_reload = False
                self._service.reload()
            if self._loaded is not None and self._speaker.settled:
                self._ready(self._loaded)
            self._service.step()
            self._metrics.answer(self._service.figures)
            self._ping(time.monotonic())

    def _take_leave(self) -> None:
        for client in self._transport.gone():
            self._service.left(client)

    def _take_results(self) -> None:
        """What the other threads made. Apart from the loop, whose variables would hold on to it."""
        for result in self._worker.results():
            self._take(result)
        for made in self._swapper.made():
            self._service.shelve(made)
            log.info("engines: %s", "; ".join(self._service.engines()))

    def _take(self, result: engine.Result) -> None:
        match result:
            case engine.Loaded():
                self._loaded = result.shelf
                rate = next(iter(result.shelf.voices.values())).info.sample_rate
                self._speaker.start(rate)
            case engine.Unusable():
                log.error("%s (%s)", result.error, result.error.code)
                self._give_up(EXIT_VOICE)
            case engine.Crashed():
                self._fail()
            case _:
                self._service.take(result)

    def _ready(self, shelf: Shelf) -> None:
        self._loaded = None
        self._service.ready(shelf)
        sys.setswitchinterval(0.001)  # the loop and the audio callback must get the GIL in time
        gc.collect()
        gc.freeze()  # models live as long as the process: never scan them again
        names = ", ".join(shelf.voices)
        log.info("ready: %s", names)
        self._notifier.ready(f"ready: {names}")

    def _tell(self, detail: str) -> None:
        """From the engine thread: what is being loaded."""
        self._service.tell(detail)
        log.info("%s", detail)
        self._notifier.loading(detail, LOAD_STEP_S)

    def _fail(self) -> None:
        """A bug has shown: tell every client, and end, so that a fresh process takes over."""
        self._give_up(EXIT_INTERNAL)
        self._service.end_all(wire.INTERNAL, "the daemon failed and restarts; say it again")

    def _give_up(self, code: int) -> None:
        self._exit_code = code
        self._should_stop = True

    def _pause_s(self) -> float:
        """How long nothing needs to be looked at, unless something arrives."""
        if self._service.has_more:
            return 0.0
        if self._deliverer.playing or self._deliverer.behind:
            return 0.02
        longest = 1.0 if self._service.idle else 0.1
        return min(longest, self._notifier.watchdog_s / 3 or longest)

    def _ping(self, now: float) -> None:
        """Tell systemd, and who asks for the status, that all is well, while it is."""
        stuck = self._stuck(now)
        self._service.stalled(stuck)
        interval = self._notifier.watchdog_s / 3
        if not interval or now < self._next_ping:
            return
        self._next_ping = now + interval
        if not stuck:
            self._notifier.watchdog()
        elif stuck != self._stuck_part:
            log.error("%s gave no sign of life for %g s: the watchdog may act", stuck, STALL_S)
            faulthandler.dump_traceback(STDERR)
        self._stuck_part = stuck

    def _stuck(self, now: float) -> str:
        """The thread that hangs; "" where none does. That this one runs shows in its asking."""
        if self._service.engine_busy and now - self._worker.beat > STALL_S:
            return "the engine"
        return "the speaker" if self._speaker.silent_s(now) > STALL_S else ""

    def _shutdown(self) -> None:
        self._notifier.stopping()
        self._metrics.close()
        self._service.stopping()
        self._builder.stop()
        if self._speaker.state.available:
            time.sleep(self._speaker.state.latency_s + 0.02)  # let the fade be heard
        self._speaker.close()
        if not self._swapper.stop(5.0):
            log.warning("a voice was still loading after 5 s")
        for made in self._swapper.made():  # so that it is closed with the others
            self._service.shelve(made)
        if not self._worker.stop(5.0):
            log.warning("the engine did not end its step within 5 s")
        elif self._exit_code == EXIT_OK:  # after a crash nobody knows the state of the engines
            self._service.close()
            self._close_unused()
        log.info("stopped")

    def _close_unused(self) -> None:
        """Close voices that were loaded but not taken into service any more."""
        late = [r.shelf for r in self._worker.results() if isinstance(r, engine.Loaded)]
        for shelf in (*late, self._loaded or Shelf()):
            shelf.close()

    def _release(self) -> None:
        self._metrics.close()
        self._transport.close()
        self._waker.close()
        if self._lock is not None:
            self._lock.release()
