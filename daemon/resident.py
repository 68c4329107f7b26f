"""A voice in memory with the engines it runs on, and its successor once the store has others.

Heavy to import: it brings the engines' runtime.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from engines.decoding import batch_fill
from engines.errors import EngineError, StoreError
from engines.opening import Opened, Opener, open_engines
from engines.pack import VoicePack
from engines.phrases import PhraseCache, VoicePhrases
from engines.session import Session, release
from engines.store import MANIFEST, Backend, Engine, Store
from engines.voice import RuntimeOptions, Voice

log = logging.getLogger(__name__)
Openers = Callable[[VoicePack], Mapping[Backend, Opener]]
Stamp = tuple[int, int, int]  # of a manifest: when it was written, its inode, its size


@dataclass(frozen=True, slots=True)
class Resident:
    """A warm voice. opened: the engines it runs, and those of the store that it could not use.

    stamp: of the manifest that it was made of, or that was refused since; None: there was none.
    """

    pack: VoicePack
    voice: Voice
    opened: Opened
    stamp: Stamp | None

    @property
    def complete(self) -> bool:
        """Whether an engine was built for every graph and all of them can be used."""
        return not self.opened.refused and set(self.pack.graphs) <= set(self.opened.engines)

    def engine(self, graph: str) -> Engine | None:
        """What runs a graph; None: the pack's own, as it came."""
        return self.opened.engines.get(graph)

    @property
    def sessions(self) -> Collection[Session]:
        """What runs its graphs."""
        return self.voice.sessions.values()

    def close(self, others: Iterable[Resident] = ()) -> None:
        """End the voice, and release what it does not share with others that go on."""
        self.voice.close()
        shared = {id(session) for other in others for session in other.sessions}
        release(session for session in self.sessions if id(session) not in shared)

    def own(self, graph: str) -> bool:
        """Whether the pack's own file runs a graph, be it that no engine was faster."""
        return graph not in self.opened.sessions


class Keeper:
    """Makes residents of voice packs with the engines that a store has for them."""

    def __init__(
        self,
        store: Store,
        options: RuntimeOptions,
        openers: Openers = lambda pack: {},
        phrases: PhraseCache | None = None,
    ) -> None:
        """openers: of a pack's engines on a GPU; see `open_engines`. phrases: of all voices."""
        self._store, self._options, self._openers = store, options, openers
        self._phrases = phrases
        self.fill = batch_fill()  # of all its voices, whatever becomes of them

    def load(self, folder: Path) -> Resident:
        """A pack, warm; on its own graphs where its engines cannot be used.

        Raises:
            VoiceError: the pack itself cannot be used.
        """
        pack = VoicePack(folder)
        stamp = self._stamp(pack)
        opened = self._open(pack)
        _tell(pack, opened)
        if opened.sessions:
            try:
                return Resident(pack, self._proved(pack, opened), opened, stamp)
            except EngineError as error:
                release(opened.sessions.values())
                opened = Opened(refused={"voice": StoreError(error.code, str(error))})
                _tell(pack, opened)
        return Resident(pack, self._warm(pack, opened), opened, stamp)

    def renew(self, resident: Resident) -> Resident:
        """A resident with the engines the store has now; the same one if they have not changed.

        Sessions that do not change are shared. Where any engine cannot be used, the voice stays,
        and `refused` says why.
        """
        pack = resident.pack
        stamp = self._stamp(pack)
        if stamp in (None, resident.stamp):
            return resident
        opened = self._open(pack, resident.opened)
        if not opened.refused:
            try:
                voice = self._proved(pack, opened, _own(resident))
                voice.lexicon = resident.voice.lexicon  # with its words, if the file is wrong now
                return Resident(pack, voice, opened, stamp)
            except EngineError as error:
                opened.refused["voice"] = StoreError(error.code, str(error))
        _tell(pack, opened)
        held = {id(session) for session in resident.sessions}
        release(session for session in opened.sessions.values() if id(session) not in held)
        kept = replace(resident.opened, refused=opened.refused)
        return replace(resident, opened=kept, stamp=stamp)

    def _open(self, pack: VoicePack, kept: Opened | None = None) -> Opened:
        try:
            openers = self._openers(pack)
            return open_engines(pack, self._store, self._options.threads, openers, kept)
        except Exception as error:
            log.exception("the engines of %s could not be opened", pack.file.name)
            reason = f"opening the engines failed ({type(error).__name__}: {error}); build again"
            return Opened(refused={"manifest": StoreError("engine_corrupt", reason)})

    def _proved(
        self, pack: VoicePack, opened: Opened, own: Mapping[str, Session] = MappingProxyType({})
    ) -> Voice:
        """A warm voice on engines of the store, and on sessions of the pack's own graphs, if there
        are any yet. Raises EngineError, whatever is wrong with them."""
        try:
            return self._warm(pack, opened, own)
        except EngineError:
            raise
        except Exception as error:
            log.exception("voice %s failed with the engines of the store", pack.file.name)
            raise StoreError(
                "engine_corrupt",
                f"the voice fails with these engines ({type(error).__name__}: {error}); build "
                "them again",
            ) from error

    def _warm(
        self, pack: VoicePack, opened: Opened, own: Mapping[str, Session] = MappingProxyType({})
    ) -> Voice:
        cache = self._phrases
        phrases = None if cache is None else VoicePhrases(cache, pack, opened.engines)
        voice = Voice(pack, self._options, {**own, **opened.sessions}, phrases, self.fill)
        try:
            voice.warm_up()
        except BaseException:
            voice.close()
            raise
        return voice

    def _stamp(self, pack: VoicePack) -> Stamp | None:
        """Of the manifest as it is now, taken before that is read; None where it cannot be seen."""
        try:
            seen = (self._store.folder(pack) / MANIFEST).stat()
        except OSError:
            return None
        return seen.st_mtime_ns, seen.st_ino, seen.st_size


def _own(resident: Resident) -> dict[str, Session]:
    """The sessions of the pack's own graphs, which any successor may share."""
    sessions = resident.voice.sessions
    return {graph: session for graph, session in sessions.items() if resident.own(graph)}


def _tell(pack: VoicePack, opened: Opened) -> None:
    for graph, error in opened.refused.items():
        log.warning(
            "%s: the engine of %s is not used: %s (%s)", pack.file.name, graph, error, error.code
        )
