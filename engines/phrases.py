"""Phrases that were spoken before, kept to be heard again at once.

What is kept is one part of a text: its audio is a function of its symbols, the settings, the voice
and the engines, and of nothing before or after it. So a phrase is found in any text it occurs in.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from engines.pack import VoicePack
from engines.phrase_files import PhraseFiles
from engines.session import Floats
from engines.store import Engine, engine_key, pack_digest
from engines.style import Controls

AUDIO = 1  # to be raised when the engines' code makes other audio of the same symbols
TOLD_S = 60.0  # how often the disk is told which phrases of the memory are in use
BACKLOG = 16  # phrases that may wait for the disk; those beyond are kept in memory alone


@dataclass(frozen=True, slots=True, eq=False)
class Phrase:
    """durations (T,) in frames per symbol, and the audio (n,) of them; neither may be changed."""

    durations: npt.NDArray[np.int64]
    pcm: Floats

    @property
    def size(self) -> int:
        """Bytes of its arrays."""
        return self.durations.nbytes + self.pcm.nbytes


@dataclass(frozen=True, slots=True)
class PhraseFigures:
    """Since the start: phrases found in memory, found on disk, not found, of no use on disk. Now:
    how many there are and their bytes, in memory and on disk."""

    from_memory: int
    from_disk: int
    missed: int
    dropped: int
    in_memory: int
    memory_bytes: int
    on_disk: int
    disk_bytes: int


class _File(msgspec.Struct, frozen=True, array_like=True):
    durations: bytes
    pcm: bytes


class PhraseCache:
    """Phrases of all voices in memory and on disk, each bounded: the longest unused goes first.

    Any thread may ask. The disk is written behind the speaker's back. Where it fails, or what is
    on it is damaged, phrases are spoken anew; nothing here raises.
    """

    def __init__(self, memory_bytes: int, root: Path | None = None, disk_bytes: int = 0) -> None:
        """root: a folder of its own, made if need be; None keeps nothing on disk."""
        self._limit, self._size = memory_bytes, 0
        self._phrases: OrderedDict[str, Phrase] = OrderedDict()  # the longest unused first
        self._lock = threading.Lock()
        self._files = None if root is None else PhraseFiles(root, disk_bytes)
        self._writer = ThreadPoolExecutor(1, "phrases")
        self._backlog = threading.BoundedSemaphore(BACKLOG)
        self._used: dict[str, None] = {}  # phrases of memory whose files are still to be told
        self._told = time.monotonic()
        self._from_memory = self._from_disk = self._missed = 0

    def get(self, key: str) -> Phrase | None:
        """The phrase of a key, and a note that it was used."""
        with self._lock:
            phrase = self._phrases.get(key)
            if phrase is not None:
                self._phrases.move_to_end(key)
                self._from_memory += 1
                self._note(key)
        if phrase is not None:
            return phrase
        phrase = self._read(key)
        with self._lock:
            if phrase is None:
                self._missed += 1
            else:
                self._from_disk += 1
        if phrase is not None:
            self._hold(key, phrase)
        return phrase

    def recall(self, keys: Sequence[str]) -> list[Phrase] | None:
        """The phrases of these keys if all are in memory: at once, whatever the disk does."""
        with self._lock:
            found = [self._phrases[key] for key in keys if key in self._phrases]
            if len(found) < len(keys):
                return None
            for key in keys:
                self._phrases.move_to_end(key)
                self._note(key)
            self._from_memory += len(keys)
        return found

    def put(self, key: str, phrase: Phrase) -> None:
        """Keep a phrase; not one whose samples are no numbers."""
        if not np.isfinite(phrase.pcm).all():
            return
        self._hold(key, phrase)
        with self._lock:  # not beside `close`
            if self._files is not None and self._backlog.acquire(blocking=False):
                self._writer.submit(self._write, self._files, key, phrase)

    def drop(self, key: str) -> None:
        """Forget a phrase that is of no use."""
        with self._lock:
            gone = self._phrases.pop(key, None)
            self._size -= gone.size if gone else 0
        if (files := self._files) is not None:
            files.drop(key)

    def figures(self) -> PhraseFigures:
        """How it is used and how full it is."""
        files = self._files
        with self._lock:
            return PhraseFigures(
                self._from_memory,
                self._from_disk,
                self._missed,
                0 if files is None else files.dropped,
                len(self._phrases),
                self._size,
                0 if files is None else files.count,
                0 if files is None else files.size,
            )

    def close(self) -> None:
        """Write what waits for the disk; what is put later is kept in memory alone."""
        with self._lock:
            files, self._files = self._files, None
        if files is not None:
            self._writer.submit(self._touch, files)
        self._writer.shutdown()

    def _note(self, key: str) -> None:
        """Tell the disk later that it was used. The lock is held."""
        files, now = self._files, time.monotonic()
        if files is None:
            return
        self._used.pop(key, None)
        self._used[key] = None
        if now - self._told > TOLD_S:
            self._told = now
            self._writer.submit(self._touch, files)

    def _touch(self, files: PhraseFiles) -> None:
        with self._lock:
            used, self._used = self._used, {}
        for key in used:
            files.touch(key)

    def _hold(self, key: str, phrase: Phrase) -> None:
        """In memory, unless it alone is more than all may be."""
        if phrase.size > self._limit:
            return
        phrase.pcm.flags.writeable = phrase.durations.flags.writeable = False
        with self._lock:
            old = self._phrases.pop(key, None)
            self._phrases[key] = phrase
            self._size += phrase.size - (old.size if old else 0)
            while self._size > self._limit:
                _, gone = self._phrases.popitem(last=False)
                self._size -= gone.size

    def _write(self, files: PhraseFiles, key: str, phrase: Phrase) -> None:
        try:
            self._touch(files)  # before the longest unused goes
            durations, pcm = phrase.durations.astype("<i8"), phrase.pcm.astype("<f4")
            files.write(key, msgspec.msgpack.encode(_File(durations.tobytes(), pcm.tobytes())))
        finally:
            self._backlog.release()

    def _read(self, key: str) -> Phrase | None:
        files = self._files
        data = None if files is None else files.read(key)
        if files is None or data is None:
            return None
        try:
            file = msgspec.msgpack.decode(data, type=_File)
            return Phrase(np.frombuffer(file.durations, "<i8"), np.frombuffer(file.pcm, "<f4"))
        except (msgspec.DecodeError, ValueError):  # of another version
            files.drop(key)
            return None


class VoicePhrases:
    """The phrases of one voice on the engines it runs."""

    def __init__(
        self, cache: PhraseCache, pack: VoicePack, engines: Mapping[str, Engine] | None = None
    ) -> None:
        """engines: those of the store that run graphs of the pack, by graph; others are its own."""
        self._cache, self._hop = cache, pack.file.hop_length
        built = {
            graph: (it.backend, it.sha256, it.device, it.runtime)
            for graph, it in (engines or {}).items()
        }
        self._made_by = engine_key(audio=AUDIO, pack=pack_digest(pack), engines=built)

    def key(self, ids: npt.NDArray[np.int64], controls: Controls) -> str:
        """SHA-256 of all that the audio of symbols (T, 6) depends on."""
        told = msgspec.json.encode((self._made_by, controls, ids.shape))
        return hashlib.sha256(told + ids.astype("<i8").tobytes()).hexdigest()

    def get(self, ids: npt.NDArray[np.int64], controls: Controls) -> Phrase | None:
        """What was spoken of these symbols in this way."""
        key = self.key(ids, controls)
        phrase = self._cache.get(key)
        if phrase is None or self._fits(phrase, len(ids)):
            return phrase
        self._cache.drop(key)
        return None

    def recall(
        self, parts: Sequence[tuple[npt.NDArray[np.int64], Controls]]
    ) -> list[Phrase] | None:
        """What was spoken of all of these, if it is in memory and none is missing."""
        found = self._cache.recall([self.key(ids, controls) for ids, controls in parts])
        fits = zip(found or (), parts, strict=bool(found))
        return found if all(self._fits(it, len(ids)) for it, (ids, _) in fits) else None

    def _fits(self, phrase: Phrase, symbols: int) -> bool:
        frames, durations = len(phrase.pcm) / self._hop, phrase.durations
        return len(durations) == symbols and bool(
            (durations >= 0).all() and durations.sum() == frames
        )

    def put(self, ids: npt.NDArray[np.int64], controls: Controls, phrase: Phrase) -> None:
        """Keep what was spoken."""
        self._cache.put(self.key(ids, controls), phrase)
