"""Requests in, replies out: what the daemon answers to each message. No socket, no thread.

The loop (daemon/server.py) hands it frames and engine results; it drives the scheduler, the
worker and the delivery. Nothing here blocks, so cancel and status never wait for synthesis.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import msgspec
from sambertd_client import protocol as wire
from sambertd_client.metrics import Figures

from daemon import access, engine_report, reports
from daemon import worker as engine
from daemon.building import Builder
from daemon.config import Config
from daemon.delivery import Deliverer
from daemon.lexicons import Lexicons
from daemon.notify import Notifier
from daemon.peers import Peer, Peers
from daemon.playback import Speaker
from daemon.quotas import Quotas
from daemon.refusals import Refusals
from daemon.reloading import Reloader
from daemon.scheduler import RefusedError, Scheduler
from daemon.shelving import Shelving
from daemon.stats import Stats
from daemon.swapping import Made, Swapper
from daemon.utterances import Utterances
from daemon.voices import Shelf

log = logging.getLogger(__name__)


class Service:
    """The state of the daemon as clients see it."""

    def __init__(
        self,
        config: Config,
        scheduler: Scheduler,
        worker: engine.Worker,
        deliverer: Deliverer,
        speaker: Speaker,
        stats: Stats,
        version: str,
        swapper: Swapper,
        builder: Builder,
        notifier: Notifier,
        peers: Peers,
        lexicons: Lexicons,
        reread: Callable[[], Config],
    ) -> None:
        self._life = reports.Life(version)
        self._config = config
        self._scheduler = scheduler
        self._deliverer = deliverer
        self._speaker = speaker
        self._stats = stats
        self._builds, self._peers = builder.builds, peers
        self._quotas, self._refusals = Quotas(config.limits), Refusals()
        self._utterances = Utterances(
            self._life, config.limits, scheduler, worker, deliverer, speaker, stats
        )
        self._shelving = Shelving(
            config.voices,
            config.engines,
            self._life,
            self._utterances,
            deliverer,
            swapper,
            builder,
            lexicons,
        )
        self._reloader = Reloader(
            config, reread, self._settle, self._life, self._shelving, deliverer, swapper, notifier
        )

    def tell(self, detail: str) -> None:
        """What is being done, in words; from any thread."""
        self._life.detail = detail

    def stalled(self, part: str) -> None:
        """What gives no sign of life now; "": nothing."""
        self._life.stalled = part

    def ready(self, shelf: Shelf) -> None:
        self._utterances.shelf = shelf
        self._scheduler.open_limit = min(self._config.limits.in_work, shelf.streams)
        self._scheduler.spare = shelf.spare
        self._life.state, self._life.detail = "ready", "ready"
        self._deliverer.events.tell("state", "ready")
        self._shelving.begin()
        self._reloader.ready()

    def take(self, result: engine.Turn) -> None:
        """Book one result of the engine."""
        self._utterances.take(result)

    def shelve(self, made: Made) -> None:
        """What is begun from now on is spoken by this voice; what has begun ends on the old one."""
        self._shelving.take(made)

    def reload(self) -> None:
        """Read the settings again: a signal said so."""
        self._reloader.hang_up()

    def _settle(self, config: Config) -> None:
        """Other settings from now on; what was admitted goes on as it is."""
        limits, streams = config.limits, self._shelving.streams
        self._config = config
        self._utterances.limits = limits
        self._scheduler.limit(
            min(limits.in_work, streams),
            limits.waiting + max(0, limits.in_work - streams),
            limits.stall_s,
            limits.per_client,
            limits.append_s,
            limits.pause_s,
        )
        self._peers.change(config.access.admin_uids())
        self._quotas.change(limits)
        self._speaker.change(config.speaker)
        self._shelving.build(config.engines)
        logging.getLogger().setLevel(config.log_level.upper())

    def receive(self, client: bytes, frames: list[bytes], peer: Peer) -> None:
        """Answer one message, whatever it is."""
        try:
            request = wire.decode_request(frames)
        except wire.ProtocolError as error:
            self._stats.bad_messages += 1
            self._refuse(client, error.request_id, error.code, str(error))
            return
        try:
            access.check(request, peer.role, peer.owner)
            self._quotas.check(request, peer, time.monotonic())
            self._answer(client, request, peer)
        except RefusedError as refusal:
            if isinstance(request, wire.Say):
                self._stats.refuse(refusal.code)
            self._refusals.note(peer.owner, refusal.code, str(refusal), time.monotonic())
            self._refuse(client, request.id, refusal.code, str(refusal), refusal.retry_s)

    def _answer(self, client: bytes, request: wire.Request, peer: Peer) -> None:
        """Raises RefusedError."""
        match request:
            case wire.Say():
                self._utterances.say(client, request, peer.owner, self._quotas.most_live(peer))
            case wire.Credit():
                self._scheduler.grant(client, request.id, request.grant)
            case wire.Append() | wire.End():
                self._utterances.append(client, request)
            case wire.Cancel():
                self._utterances.cancel(client, request, peer.owner)
            case wire.Prefetch():
                self._utterances.prefetch(client, request, peer.owner)
            case wire.Pause() | wire.Resume():
                self._utterances.hold(client, request, peer.owner)
            case wire.Stats():
                self._deliverer.reply(client, self._counted(request.id))
            case wire.Subscribe():
                subscribed = self._deliverer.events.subscribe(client, request, peer.owner)
                told = msgspec.structs.replace(subscribed, instance=self._life.instance)
                self._deliverer.reply(client, told)
            case wire.Unsubscribe():
                self._deliverer.events.unsubscribe(client)
            case wire.Hello():
                self._deliverer.reply(client, self._welcome(client, request.id, peer))
            case wire.Voices():
                listed = reports.voice_list(request.id, self._utterances.shelf, self._config.voices)
                self._deliverer.reply(client, listed)
            case wire.Load():
                self._shelving.load(client, request)
            case wire.Unload():
                self._shelving.unload(client, request)
            case wire.Reload():
                self._reloader.ask(client, request)
            case wire.Status():
                self._deliverer.reply(client, self._status(request.id))
            case wire.Engines():
                self._deliverer.reply(client, self._engines(request.id))

    def banish(self, owner: str) -> None:
        """An owner may do nothing any more: what it said ends, and it hears of nothing."""
        ids = self._utterances.banish(owner)
        self._deliverer.events.banish(owner)
        log.warning("%s is allowed no more; %d requests end", owner, len(ids))

    def left(self, client: bytes) -> None:
        """A connection has ended: nobody hears any more of what it asked for."""
        self._utterances.left(client)
        self._deliverer.events.unsubscribe(client)

    def step(self) -> None:
        """Deliver what is made and give the engine its next turn."""
        self._utterances.take_known()  # first: it leaves at once
        self._deliverer.pump(time.monotonic(), self._utterances.forget)
        self._utterances.advance()

    def end_all(self, code: str, text: str) -> None:
        """Every live request ends in this error, and its client is told."""
        self._utterances.prefetcher.end_all(code, text)
        self._scheduler.end_all("error", code, text)
        self._deliverer.pump(time.monotonic(), self._utterances.forget)

    def stopping(self) -> None:
        self._life.state, self._life.detail = "stopping", "shutting down"
        self._deliverer.events.tell("state", "stopping")
        self._shelving.stop()
        self._reloader.stop()
        self.end_all(wire.SHUTTING_DOWN, "the daemon is shutting down")

    def close(self) -> None:
        self._utterances.shelf.close()

    def figures(self) -> Figures:
        """What the metrics are made of."""
        return Figures(self._counted(""), self._status(""), self._engines(""))

    def engines(self) -> list[str]:
        """A line on the engines of each voice, for people."""
        return engine_report.short_lines(self._utterances.shelf, self._builds)

    @property
    def engine_busy(self) -> bool:
        return self._utterances.engine_busy

    @property
    def has_more(self) -> bool:
        """Another step would make something, with nothing new to be waited for."""
        return self._utterances.has_more

    @property
    def idle(self) -> bool:
        return len(self._scheduler) == 0

    def _welcome(self, client: bytes, request_id: str, peer: Peer) -> wire.Welcome:
        live = self._utterances.live(client) + self._shelving.live(client)
        live += self._reloader.live(client)
        limits, role = self._config.limits, peer.role.name.lower()
        shelf = self._utterances.shelf
        return reports.welcome(request_id, self._life, shelf, limits, self._speaker, live, role)

    def _counted(self, request_id: str) -> wire.StatsReport:
        events, shelf = self._deliverer.events, self._utterances.shelf
        return reports.stats(request_id, self._life, shelf, self._stats, self._speaker, events)

    def _engines(self, request_id: str) -> wire.EngineReport:
        shelf, config = self._utterances.shelf, self._config.engines
        return engine_report.report(request_id, shelf, self._builds, config)

    def _status(self, request_id: str) -> wire.StatusReport:
        lines, life, queue = self.engines(), self._life, self._scheduler
        shelf = self._utterances.shelf
        problems = [*self._reloader.problems, *self._shelving.lexicon_problems]
        return reports.status(
            request_id, life, shelf, queue, self._stats, self._speaker, lines, problems
        )

    def _refuse(
        self, client: bytes, request_id: str, code: str, text: str, retry_s: float | None = None
    ) -> None:
        error = wire.Error(id=request_id, code=code, text=text, retry_s=retry_s)
        self._deliverer.reply(client, error)
