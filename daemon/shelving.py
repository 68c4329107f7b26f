"""Voices that come and go while others speak: on request, or as the store has better engines.

Loading is the swapper's work, on its own thread; what becomes of it is settled here, by the loop.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sambertd_client import protocol as wire

from daemon.building import Build, Builder, State
from daemon.checks import check_state, unknown
from daemon.config import EngineConfig
from daemon.delivery import Deliverer
from daemon.lexicons import Lexicons
from daemon.reports import Life
from daemon.scheduler import RefusedError
from daemon.swapping import Made, Renewed, Swapper
from daemon.text_config import TextConfig
from daemon.utterances import Utterances
from daemon.voices import packs
from engines.errors import EngineError

if TYPE_CHECKING:
    from daemon.resident import Resident

log = logging.getLogger(__name__)
MOST_LOADING = 8  # packs that are asked for and not loaded yet


@dataclass(eq=False, frozen=True, slots=True)
class _Asked:
    """A pack that is to be loaded, and by whom."""

    folder: Path
    client: bytes
    id: str
    at: float


class Shelving:
    """Puts voices on the shelf and takes them off, and has engines built for them."""

    def __init__(
        self,
        voices: Path,
        engines: EngineConfig,
        life: Life,
        utterances: Utterances,
        deliverer: Deliverer,
        swapper: Swapper,
        builder: Builder,
        lexicons: Lexicons,
    ) -> None:
        self._folder, self._engines, self._life = voices, engines, life
        self._utterances, self._deliverer = utterances, deliverer
        self._swapper, self._builder, self._lexicons = swapper, builder, lexicons
        self._asked: list[_Asked] = []

    def begin(self) -> None:
        """All voices of the start are on the shelf: watch for better engines, and build them."""
        shelf = self._utterances.shelf
        renew = shelf.keeper.renew if shelf.keeper is not None else _as_it_is
        self._swapper.start(shelf.residents, renew, self._look)
        for name in shelf.residents.keys() - self._builder.builds.keys():
            self._note_build(name)
        if self._engines.build == "background":
            self._build(list(shelf.residents))

    def load(self, client: bytes, request: wire.Load) -> None:
        """Load the pack of a folder, or load it again. Raises RefusedError."""
        self.check_ready()
        if len(self._asked) >= MOST_LOADING:
            text = f"{MOST_LOADING} voices are being loaded; load more when one is done"
            raise RefusedError(wire.BUSY, text)
        asked = _Asked(self._folder_of(request.name), client, request.id, time.monotonic())
        self._asked.append(asked)
        self._tell()
        self.fetch(asked.folder, partial(self._settle, asked))

    def unload(self, client: bytes, request: wire.Unload) -> None:
        """Take a voice off the shelf. Raises RefusedError."""
        self.check_ready()
        name, voices = request.name, self._utterances.shelf.voices
        if name not in voices:
            raise unknown(wire.UNKNOWN_VOICE, "voice", name, voices)
        if name == next(iter(voices)):
            text = f"{name} is the default voice; make another the default and reload, then unload"
            if len(voices) == 1:
                text = f"{name} is the only voice; load another first"
            raise RefusedError(wire.VOICE_NEEDED, text)
        live = self._take_off(name)
        self._deliverer.reply(client, wire.Unloaded(id=request.id, voice=name, live=live))

    def live(self, client: bytes) -> list[str]:
        """The ids of a client's requests that are not answered yet."""
        return [asked.id for asked in self._asked if asked.client == client]

    def stop(self) -> None:
        """What is not loaded yet will not be: whoever asked is told."""
        asked, self._asked = self._asked, []
        for one in asked:
            self._answer(one, EngineError(wire.SHUTTING_DOWN, "the daemon is shutting down"))

    def take(self, made: Made) -> None:
        """Settle what the swapper made."""
        if isinstance(made, Renewed):
            self._utterances.renew(made.old, made.new)
            if made.new.complete:
                self._builder.settle(made.new.pack.file.name)
        else:
            made()

    @property
    def names(self) -> list[str]:
        return list(self._utterances.shelf.voices)

    @property
    def lexicon_problems(self) -> list[str]:
        """What is wrong with lexicons, whose words from before stay."""
        return self._lexicons.problems

    @property
    def streams(self) -> int:
        """How many utterances the voices can have in work."""
        return self._utterances.shelf.streams

    def packs(self) -> list[Path] | EngineError:
        """The packs there are now, or why nobody knows; from any thread."""
        try:
            return packs(self._folder)
        except EngineError as error:
            return error

    def outdated(self, found: list[Path]) -> list[Path]:
        """Those of the packs that are not on the shelf, or have changed since."""
        residents = self._utterances.shelf.residents.values()
        loaded = {resident.pack.folder: resident.pack for resident in residents}
        known = self._utterances.shelf.keeper is not None
        return [f for f in found if known and (f not in loaded or loaded[f].has_changed())]

    def fetch(self, folder: Path, told: Callable[[tuple[str, bool] | EngineError], None]) -> None:
        """Load a pack and put it on the shelf.

        told: its name and whether it was there before, or why it cannot be.
        """
        keeper = self._utterances.shelf.keeper
        assert keeper is not None, "nobody has looked"
        self._swapper.fetch(folder, keeper.load, lambda made: told(self._put(folder, made)))

    def tidy(self, default: str, found: list[Path]) -> tuple[list[str], list[str]]:
        """Voices as a start would have them: the default one first, those whose pack is gone away.

        What was unloaded, and what could not be met.
        """
        shelf = self._utterances.shelf
        if shelf.keeper is None:
            return [], []
        problems = []
        shelf.broken = [one for one in shelf.broken if Path(one.path) in found]
        first = shelf.lead(default, found)
        if default and first != default:
            known = ", ".join(shelf.voices)
            problems.append(f"voice: there is no voice {default!r}; choose of {known}")
        gone = [n for n, resident in shelf.residents.items() if resident.pack.folder not in found]
        if first in gone:
            gone.remove(first)
            problems.append(f"{first}: its pack is gone; it stays, since it is the default voice")
        for name in gone:
            self._take_off(name)
        return gone, problems

    def build(self, engines: EngineConfig) -> None:
        """Whether engines are built has changed."""
        before, self._engines = self._engines.build, engines
        if before == "never" != engines.build:
            self._build(self.names)

    def settle_text(self, config: TextConfig) -> None:
        """On the swapper's thread: other lexicons and settings of the text."""
        self._lexicons.change(config)
        self._lexicons.look(self._swapper.residents)

    def _look(self, residents: list[Resident]) -> Callable[[], None] | None:
        """On the swapper's thread, every second."""
        news = self._lexicons.look(residents)
        return partial(self._tell_all, news) if news else None

    def _tell_all(self, news: list[str]) -> None:
        for text in news:
            self._deliverer.events.tell("reload", text)

    def check_ready(self) -> None:
        """Raises RefusedError where voices cannot change now."""
        check_state(self._life)

    def _folder_of(self, name: str) -> Path:
        """The folder of a pack; a name that could lead elsewhere is refused with RefusedError."""
        if name.startswith(".") or "/" in name or "\0" in name:
            text = f"name: {name!r} is no name of a pack in {self._folder}; copy the pack there"
            raise RefusedError(wire.BAD_FIELD, text)
        return self._folder / name

    def _settle(self, asked: _Asked, outcome: tuple[str, bool] | EngineError) -> None:
        if asked in self._asked:
            self._asked.remove(asked)
            self._tell()
            self._answer(asked, outcome)

    def _answer(self, asked: _Asked, outcome: tuple[str, bool] | EngineError) -> None:
        if isinstance(outcome, EngineError):
            answer: wire.Message = wire.Error(id=asked.id, code=outcome.code, text=str(outcome))
        else:
            voice, replaced = outcome
            took_s = time.monotonic() - asked.at
            answer = wire.Loaded(id=asked.id, voice=voice, replaced=replaced, took_s=took_s)
        self._deliverer.reply(asked.client, answer)

    def _put(self, folder: Path, outcome: Resident | EngineError) -> tuple[str, bool] | EngineError:
        """Put a voice on the shelf; its name, and whether it was there, or why it cannot be."""
        events = self._deliverer.events
        if isinstance(outcome, EngineError):
            missing = outcome.code == "voice_not_found"  # the client's mistake
            if not missing:
                self._utterances.shelf.note(folder, outcome)
            level = logging.INFO if missing else logging.ERROR
            log.log(level, "voice %s cannot be used: %s (%s)", folder, outcome, outcome.code)
            events.tell("voices", f"{folder.name} cannot be loaded: {outcome}")
            return outcome
        name = outcome.pack.file.name
        replaced = self._utterances.put(outcome)
        words = "loaded again" if replaced else "loaded"
        log.info("voice %s %s from %s", name, words, folder)
        events.tell("voices", f"{name} was {words}")
        self._note_build(name)
        if self._engines.build != "never":
            self._build([name])
        return name, replaced

    def _take_off(self, name: str) -> int:
        live = self._utterances.remove(name)
        self._swapper.forget(name)
        self._builder.forget(name)
        log.info("voice %s unloaded", name)
        self._deliverer.events.tell("voices", f"{name} was unloaded")
        return live

    def _note_build(self, name: str) -> None:
        complete = self._utterances.shelf.residents[name].complete
        state: State = "current" if complete else "never"
        self._builder.builds[name] = Build(state)

    def _build(self, names: list[str]) -> None:
        residents = self._utterances.shelf.residents
        lacking = {n: residents[n].pack.folder for n in names if not residents[n].complete}
        self._builder.start(lacking, self._swapper.look)

    def _tell(self) -> None:
        """What is being loaded, as the status says it."""
        if self._life.state != "ready":
            return
        names = ", ".join(asked.folder.name for asked in self._asked)
        self._life.detail = f"ready; loading voice {names}" if names else "ready"


def _as_it_is(resident: Resident) -> Resident:
    return resident
