"""The voices on the shelf: every pack of a folder, loaded and warm, and those that are broken."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cache_config import CacheConfig
from daemon.config import EngineConfig
from daemon.memory import trim
from daemon.speaking_voice import SpeakingVoice
from engines.errors import EngineError, VoiceError
from engines.pack import PACK_FILE
from engines.store import Store

if TYPE_CHECKING:
    from daemon.resident import Keeper, Resident
    from engines.one_gpu import OneGpu
    from engines.phrases import PhraseCache

log = logging.getLogger(__name__)
SPARE = 2  # places for newcomers while all others are taken
Tell = Callable[[str], None]
Build = Callable[[str, Path, Tell], None]


@dataclass(frozen=True, slots=True)
class Broken:
    path: str
    code: str
    text: str


@dataclass(slots=True)
class Shelf:
    """Voices by name, the default first, and the packs that could not be loaded.

    residents: what is known of the engines of those voices that have some. keeper: makes them, and
    their successors; see `daemon.resident`. gpu: what those engines run on, if they do.
    phrases: what the voices have said before.
    """

    voices: dict[str, SpeakingVoice] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    residents: dict[str, Resident] = field(default_factory=dict)
    keeper: Keeper | None = None
    gpu: OneGpu | None = None
    phrases: PhraseCache | None = None

    def put(self, resident: Resident) -> list[Resident]:
        """A voice in the place of what its name or its folder had; what that was.

        The default voice stays the first.
        """
        name, folder = resident.pack.file.name, resident.pack.folder
        gone = {n: r for n, r in self.residents.items() if n == name or r.pack.folder == folder}
        voices: dict[str, SpeakingVoice] = {}
        for key, voice in self.voices.items():
            replaced = key in gone
            voices.setdefault(name if replaced else key, resident.voice if replaced else voice)
        self.voices = {**voices, name: resident.voice}
        kept = {key: one for key, one in self.residents.items() if key not in gone}
        self.residents = {**kept, name: resident}
        self.note(folder, None)
        return list(gone.values())

    def lead(self, default: str, found: list[Path]) -> str:
        """Put the default voice first: the one called so, else the first of these packs.

        Its name: the present one stays where there is no other.
        """
        by_folder = {one.pack.folder: name for name, one in self.residents.items()}
        there = [by_folder[folder] for folder in found if folder in by_folder]
        present = next(iter(self.voices))
        first = default if default in self.voices else present
        if not default and there:
            first = there[0]
        order = dict.fromkeys((first, *there, *self.voices))
        self.voices = {name: self.voices[name] for name in order}
        return first

    def take(self, name: str) -> Resident:
        """Take a voice off. Raises KeyError where it has no engines."""
        resident = self.residents.pop(name)
        del self.voices[name]
        return resident

    def note(self, folder: Path, error: EngineError | None) -> None:
        """That a pack could not be loaded; None: that it could."""
        self.broken = [one for one in self.broken if one.path != str(folder)]
        if error is not None:
            self.broken.append(Broken(str(folder), error.code, str(error)))

    @property
    def streams(self) -> int:
        """How many streams may be open at once, whatever their voices, beside a prefetch."""
        return max(1, self._places - SPARE)

    @property
    def spare(self) -> int:
        """How many more may be, for those who have nothing in work: see daemon/turns.py."""
        return max(0, self._places - self.streams)

    @property
    def _places(self) -> int:
        places = min((voice.streams for voice in self.voices.values()), default=1)
        return places if self.phrases is None else places - 1

    def close(self) -> None:
        for name, voice in self.voices.items():
            resident = self.residents.get(name)
            if resident is None:
                voice.close()
            else:
                resident.close()
        if self.gpu is not None:
            self.gpu.close()
        if self.phrases is not None:
            self.phrases.close()


def load_voices(
    folder: Path,
    default: str,
    engines: EngineConfig,
    streams: int,
    progress: Tell,
    build: Build | None = None,
    cache: CacheConfig | None = None,
) -> Shelf:
    """Load and warm up every pack in `folder`, on the engines the store has for it.

    The rest serves where a pack is broken. build: called with a voice that lacks engines, returns
    once they are built or cannot be. cache: of phrases said before; None keeps none.

    Raises VoiceError where no voice, or not the default one, can be used.
    """
    found = packs(folder)
    try:
        from daemon.resident import Keeper  # heavy: after all is checked
        from engines.gpu_openers import gpu_openers
        from engines.one_gpu import OneGpu
        from engines.voice import RuntimeOptions
    except ModuleNotFoundError as error:
        cure = "in a checkout of sambertd run `pip install ./client '.[cpu]'`"
        text = f"{error.name} is not installed; {cure}"
        raise VoiceError("voice_unsupported", text) from error

    phrases = cache.open() if cache is not None else None
    streams += SPARE
    if phrases is not None:
        streams += 1  # a place for a prefetch
    options = RuntimeOptions(
        streams, engines.vocoder_threads, engines.acoustic_threads, engines.batching
    )
    gpu = OneGpu(engines.gpu_memory_mb)
    openers = partial(gpu_openers, gpu=gpu, threads=options.threads)
    keeper = Keeper(Store(engines.store), options, openers, phrases)
    shelf = Shelf(keeper=keeper, gpu=gpu, phrases=phrases)
    for path in found:
        progress(f"loading voice {path.name}")
        try:
            resident = keeper.load(path)
            name = resident.pack.file.name
            check_name(name, resident, shelf.residents)
            if build is not None and not resident.complete:
                build(name, path, progress)
                resident = _renewed(resident, keeper.renew)
        except EngineError as error:
            log.error("voice %s cannot be used: %s (%s)", path, error, error.code)
            shelf.note(path, error)
        else:
            shelf.voices[name], shelf.residents[name] = resident.voice, resident
    try:
        return arranged(shelf, folder, default)
    except VoiceError:
        shelf.close()
        raise


def check_name(name: str, resident: Resident, others: Mapping[str, Resident]) -> None:
    """Raises VoiceError, and closes the voice, where another pack that is there has its name."""
    other = others.get(name)
    if other is None or other.pack.folder == resident.pack.folder:
        return
    if (other.pack.folder / PACK_FILE).is_file():
        resident.close()
        raise VoiceError(
            "voice_broken",
            f"{other.pack.folder} and {resident.pack.folder} both hold a voice named "
            f"{name!r}; the first serves, rename the other in its voice.toml or remove it",
        )


def _renewed(resident: Resident, renew: Callable[[Resident], Resident]) -> Resident:
    """The successor, and what it replaces closed."""
    successor = renew(resident)
    if successor.voice is not resident.voice:
        resident.close([successor])
        del resident
        trim()
    return successor


def packs(folder: Path) -> list[Path]:
    """The voice packs of a folder, by name. Raises VoiceError where there is none."""
    try:
        if not folder.is_dir():
            text = f"{folder} is no folder; give one with --voices DIR"
            raise VoiceError("voice_not_found", text)
        found = sorted(path.parent for path in folder.glob(f"*/{PACK_FILE}"))
        found = [path for path in found if not path.name.startswith(".")]  # still being copied
    except OSError as error:
        text = f"cannot read {folder}: {error.strerror}; give another folder with --voices DIR"
        raise VoiceError("voice_not_found", text) from error
    if not found:
        raise VoiceError(
            "voice_not_found",
            f"no voice pack (a folder with {PACK_FILE}) in {folder}; "
            "give another folder with --voices DIR",
        )
    return found


def arranged(shelf: Shelf, folder: Path, default: str) -> Shelf:
    """The shelf with its default voice first. Raises VoiceError where it is not there."""
    if not shelf.voices:
        reasons = "; ".join(f"{broken.path}: {broken.text}" for broken in shelf.broken)
        raise VoiceError("voice_not_found", f"no voice in {folder} can be used: {reasons}")
    if default and default not in shelf.voices:
        known = ", ".join(shelf.voices)
        raise VoiceError(
            "voice_not_found", f"no voice {default!r} in {folder}; choose of {known} with --voice"
        )
    first = default or next(iter(shelf.voices))
    shelf.voices = {first: shelf.voices.pop(first), **shelf.voices}
    return shelf
