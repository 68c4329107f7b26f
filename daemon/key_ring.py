"""The keys that are let in, as they lie in their folder now: a change counts at once."""

from __future__ import annotations

import logging
import os
import stat
import time
from pathlib import Path

from sambertd_client.errors import KeyFileError
from sambertd_client.keyfile import ROLES, KeyFile, read_key
from sambertd_client.keyring import SUFFIX, allowed_folder

log = logging.getLogger(__name__)
LOOK_S = 1.0  # how old what we know may be where the folder itself is unchanged
TICK_S = 0.1  # times of files are so coarse: what is younger may change unseen
Stamp = tuple[int, int, int, int]


class KeyRing:
    """Allowed keys by their public half. What cannot be read lets nobody in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._place = allowed_folder(folder)
        self._files: dict[str, tuple[Stamp, KeyFile | None]] = {}
        self._keys: dict[str, KeyFile] = {}
        self._changed = -1
        self._next_look = 0.0
        self._faults: set[str] = set()

    def find(self, public: str) -> KeyFile | None:
        """The allowed key with this public half, as of now."""
        self.look()
        return self._keys.get(public)

    def look(self) -> None:
        """Read what has changed in the folder."""
        changed, now = _changed(self._place), time.monotonic()
        if changed == self._changed and now < self._next_look:
            return
        settled = changed < time.time_ns() - TICK_S * 1e9
        self._changed, self._next_look = (changed if settled else -1), now + LOOK_S
        files = self._read()
        if files != self._files:
            self._files = files
            self._keys = {key.public: key for _, key in files.values() if key is not None}
            log.info("keys that are let in: %s", ", ".join(k.name for k in self._keys.values()))

    def _read(self) -> dict[str, tuple[Stamp, KeyFile | None]]:
        files: dict[str, tuple[Stamp, KeyFile | None]] = {}
        try:
            check_owner(self._place)
            names = sorted(name for name in os.listdir(self._place) if name.endswith(SUFFIX))
        except FileNotFoundError:
            return files
        except (OSError, KeyFileError) as error:
            self._complain(f"no key is let in: {error}")
            return files
        for name in names:
            path = self._place / name
            try:
                about = path.stat()
                stamp = (about.st_mtime_ns, about.st_ctime_ns, about.st_ino, about.st_mode)
                known = self._files.get(name)
                files[name] = known if known and known[0] == stamp else (stamp, _allowed(path))
            except FileNotFoundError:
                continue
            except (OSError, KeyFileError) as error:
                self._complain(f"a key is not let in: {error}")
        return files

    def _complain(self, text: str) -> None:
        if text not in self._faults and len(self._faults) < 100:
            self._faults.add(text)
            log.warning("%s", text)


def _allowed(path: Path) -> KeyFile:
    """Raises KeyFileError."""
    check_owner(path)
    key = read_key(path)
    if key.role not in ROLES:
        raise KeyFileError(f"{path}: role is {key.role!r}; choose of {', '.join(ROLES)}")
    return KeyFile(path.name[: -len(SUFFIX)], key.public.lower(), role=key.role)


def check_owner(path: Path) -> None:
    """Raises KeyFileError where others than the daemon and root could have written it; OSError."""
    about = path.stat()
    if about.st_uid not in (0, os.geteuid()) or stat.S_IMODE(about.st_mode) & 0o022:
        mode = stat.S_IMODE(about.st_mode)
        raise KeyFileError(
            f"others may write {path} (owner {about.st_uid}, mode {mode:04o}); "
            "make it the daemon's own, and `chmod go-w` it"
        )


def _changed(folder: Path) -> int:
    """When an entry of it was last made, replaced or taken away, ns; 0: it is not there."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
