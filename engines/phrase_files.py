"""Phrases on disk: a bounded folder of small files, of which the longest unused goes first."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engines.store import write_atomically

LOG = logging.getLogger(__name__)
MAGIC = b"phrase1\n"
SUFFIX = ".phrase"
LEFT_OVER_S = 60.0  # a file still unfinished after so long has lost its writer
_DIGEST = 32


class PhraseFiles:
    """Bytes by name in one folder. Threads and processes may share it.

    A file appears whole, by a rename, and begins with a digest of itself: one that is cut off,
    changed or foreign is removed when it is asked for. The time a file was last changed says when
    it was last used. What the disk refuses is logged, once until it works again, and no error.
    """

    def __init__(self, root: Path, limit: int) -> None:
        """limit: bytes that all files may have together."""
        self._root, self._limit = root, limit
        self._lock = threading.Lock()
        self._sizes: OrderedDict[str, int] = OrderedDict()  # the longest unused first
        self._failing = False
        self.dropped = 0  # files that were of no use
        with self._disk():
            self._make()
            self._scan()
        self._evict()

    @property
    def size(self) -> int:
        """Bytes of all files that are known here."""
        with self._lock:
            return sum(self._sizes.values())

    @property
    def count(self) -> int:
        """How many files are known here."""
        return len(self._sizes)

    def read(self, name: str) -> bytes | None:
        """What was written under a name, to the bit; None where it is not there."""
        path = self._path(name)
        try:
            data = path.read_bytes() if path.stat().st_size <= self._limit else b""
        except FileNotFoundError:
            self._forget(name)
            return None
        except OSError as error:
            self._complain(error)
            return None
        body = data[len(MAGIC) + _DIGEST :]
        if data[: len(MAGIC) + _DIGEST] != MAGIC + _digest(name, body):
            LOG.warning("%s is damaged and goes; its phrase will be spoken anew", path)
            self.drop(name)
            return None
        self.touch(name, len(data))
        return body

    def touch(self, name: str, size: int | None = None) -> None:
        """Note that it was used. size: of its file, where that is known anew."""
        with self._lock:
            known = self._sizes.pop(name, None)
            size = known if size is None else size
            if size is None:
                return
            self._sizes[name] = size
        with suppress(OSError):
            os.utime(self._path(name))

    def write(self, name: str, body: bytes) -> None:
        """Keep it, at the cost of the longest unused; not what is larger than all may be."""
        data = MAGIC + _digest(name, body) + body
        if len(data) > self._limit:
            return
        with self._disk():
            if not self._root.is_dir():  # somebody took it away, and all that was in it
                self._make()
            write_atomically(self._path(name), data)
            with self._lock:
                self._sizes.pop(name, None)
                self._sizes[name] = len(data)
            self._failing = False
        self._evict()

    def drop(self, name: str) -> None:
        """Remove one that is of no use."""
        self.dropped += 1
        self._remove(name)

    def _evict(self) -> None:
        with self._lock:
            over, gone = sum(self._sizes.values()) - self._limit, []
            for name, size in self._sizes.items():
                if over <= 0:
                    break
                gone.append(name)
                over -= size
        for name in gone:
            self._remove(name)

    def _remove(self, name: str) -> None:
        self._forget(name)
        with self._disk():
            self._path(name).unlink(missing_ok=True)

    def _forget(self, name: str) -> None:
        with self._lock:
            self._sizes.pop(name, None)

    def _make(self) -> None:
        """The folder, if it is not there. Raises OSError."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock:
            self._sizes.clear()

    def _scan(self) -> None:
        found = []
        for path in self._root.iterdir():
            with suppress(FileNotFoundError):  # another process is at work
                seen = path.stat()
                if path.suffix == SUFFIX:
                    found.append((seen.st_mtime_ns, path.stem, seen.st_size))
                elif path.name.startswith(".new-") and time.time() - seen.st_mtime > LEFT_OVER_S:
                    path.unlink()
        self._sizes.update((name, size) for _, name, size in sorted(found))

    def _path(self, name: str) -> Path:
        return self._root / (name + SUFFIX)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """Failures of the disk end here."""
        try:
            yield
        except OSError as error:
            self._complain(error)

    def _complain(self, error: OSError) -> None:
        if not self._failing:
            LOG.warning(
                "phrases cannot be kept in %s: %s; free some space, or choose a folder that can "
                "be written",
                self._root,
                error.strerror,
            )
        self._failing = True


def _digest(name: str, body: bytes) -> bytes:
    return hashlib.blake2b(name.encode() + body, digest_size=_DIGEST).digest()
