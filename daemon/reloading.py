"""Reading the settings and the folder of voices again, while the daemon speaks.

The file is read, and packs are loaded, on the swapper's thread; what becomes of it is settled here,
by the loop. Where the file is broken all stays as it is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sambertd_client import protocol as wire

from daemon.config import Config
from daemon.config_errors import ConfigError
from daemon.delivery import Deliverer
from daemon.notify import Notifier
from daemon.reports import Life
from daemon.scheduler import RefusedError
from daemon.settled import change
from daemon.shelving import Shelving
from daemon.swapping import Swapper
from engines.errors import EngineError

log = logging.getLogger(__name__)
LOAD_STEP_S = 600.0  # from one word of what is being loaded to the next, at most
Settle = Callable[[Config], None]
Packs = list[Path] | EngineError


@dataclass(slots=True)
class _Reload:
    """One that is under way. client, id: who asked; None: a signal."""

    client: bytes | None
    id: str
    at: float
    changed: list[str] = field(default_factory=list)
    restart: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    unloaded: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left: int = 0  # packs that are being loaded for it


class Reloader:
    """One reload after another; `config` is what counts now."""

    def __init__(
        self,
        config: Config,
        reread: Callable[[], Config],
        settle: Settle,
        life: Life,
        shelving: Shelving,
        deliverer: Deliverer,
        swapper: Swapper,
        notifier: Notifier,
    ) -> None:
        """reread: the settings as they are now, raises ConfigError; called on another thread.

        settle: makes settings count.
        """
        self.config = config
        self.problems: list[str] = []  # what was not taken, and why
        self._reread, self._settle = reread, settle
        self._life, self._shelving, self._deliverer = life, shelving, deliverer
        self._swapper, self._notifier = swapper, notifier
        self._now: _Reload | None = None
        self._again = False

    def ask(self, client: bytes, request: wire.Reload) -> None:
        """On request. Raises RefusedError."""
        self._shelving.check_ready()
        if self._now is not None:
            text = "the settings are being read again just now; try again when that is done"
            raise RefusedError(wire.BUSY, text)
        self._begin(_Reload(client, request.id, time.monotonic()))

    def hang_up(self) -> None:
        """On a signal; once more where one is under way, whose file may be older."""
        if self._life.state != "ready" or self._now is not None:
            self._again = self._life.state != "stopping"
        else:
            self._begin(_Reload(None, "", time.monotonic()))

    def ready(self) -> None:
        """The daemon is ready: a signal that came before counts now."""
        if self._again:
            self._again = False
            self.hang_up()

    def live(self, client: bytes) -> list[str]:
        """The ids of a client's requests that are not answered yet."""
        return [self._now.id] if self._now is not None and self._now.client == client else []

    def stop(self) -> None:
        """Whoever waits is told that it will not be."""
        reload, self._now = self._now, None
        if reload is not None and reload.client is not None:
            text = "the daemon is shutting down"
            told = wire.Error(id=reload.id, code=wire.SHUTTING_DOWN, text=text)
            self._deliverer.reply(reload.client, told)

    def _begin(self, reload: _Reload) -> None:
        self._now = reload
        self._life.detail = "ready; reading the settings again"
        self._notifier.reloading()
        self._swapper.run(self._read, partial(self._apply, reload))

    def _read(self) -> tuple[Config, Packs] | ConfigError:
        """On the swapper's thread: the settings, and the packs there are."""
        try:
            config = self._reread()
            self._shelving.settle_text(config.text)
            return config, self._shelving.packs()
        except ConfigError as error:
            return error
        except Exception as error:
            log.exception("the settings could not be read again")
            return ConfigError(f"reading the settings failed ({type(error).__name__}: {error})")

    def _apply(self, reload: _Reload, read: tuple[Config, Packs] | ConfigError) -> None:
        if reload is not self._now:
            return
        if isinstance(read, ConfigError):
            log.error("not reloaded, the old settings stay: %s", read)
            self.problems = [f"not reloaded: {read}"]
            self._deliverer.events.tell("reload", self.problems[0])
            self._end(reload, wire.Error(id=reload.id or "-", code=wire.BAD_CONFIG, text=str(read)))
            return
        wanted, found = read
        settled = change(self.config, wanted, self._shelving.streams)
        self.config, reload.changed, reload.restart = settled
        self._settle(settled.config)
        packs = None if isinstance(found, EngineError) else found
        if isinstance(found, EngineError):
            reload.problems.append(f"voices: {found}")
        outdated = self._shelving.outdated(packs or [])
        reload.left = len(outdated)
        for folder in outdated:
            self._notifier.loading(f"loading voice {folder.name}", LOAD_STEP_S)
            self._shelving.fetch(folder, partial(self._fetched, reload, packs, folder))
        self._check_done(reload, packs)

    def _fetched(
        self,
        reload: _Reload,
        packs: list[Path] | None,
        folder: Path,
        outcome: tuple[str, bool] | EngineError,
    ) -> None:
        reload.left -= 1
        if isinstance(outcome, EngineError):
            reload.problems.append(f"{folder.name}: {outcome} ({outcome.code})")
        else:
            reload.loaded.append(outcome[0])
        self._check_done(reload, packs)

    def _check_done(self, reload: _Reload, packs: list[Path] | None) -> None:
        if reload.left or reload is not self._now:
            return
        if packs is not None:
            reload.unloaded, problems = self._shelving.tidy(self.config.voice, packs)
            reload.problems += problems
        self.problems = reload.problems
        words = "; ".join(_words(reload)) or "nothing has changed"
        log.log(logging.WARNING if reload.problems else logging.INFO, "reloaded: %s", words)
        self._deliverer.events.tell("reload", words)
        reloaded = wire.Reloaded(
            id=reload.id or "-",
            changed=reload.changed,
            restart=reload.restart,
            loaded=reload.loaded,
            unloaded=reload.unloaded,
            problems=[*reload.problems, *self._shelving.lexicon_problems],
            took_s=time.monotonic() - reload.at,
        )
        self._end(reload, reloaded)

    def _end(self, reload: _Reload, answer: wire.Message) -> None:
        self._now = None
        self._life.detail = "ready"
        names = ", ".join(self._shelving.names)
        self._notifier.ready("; ".join((f"ready: {names}", *self.problems)))
        if reload.client is not None:
            self._deliverer.reply(reload.client, answer)
        self.ready()


def _words(reload: _Reload) -> Iterator[str]:
    for what, names in (
        ("changed", reload.changed),
        ("loaded", reload.loaded),
        ("unloaded", reload.unloaded),
        ("after a restart", reload.restart),
    ):
        if names:
            yield f"{what} {', '.join(names)}"
    yield from reload.problems
