"""One daemon per endpoint, by a lock file that outlives nobody: the kernel drops it on exit."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path


class LockError(Exception):
    """The endpoint belongs to another daemon, or its folder cannot be used."""


class EndpointLock:
    """Holds `SOCKET.lock` while this process lives.

    The lock file is never removed: a third process could lock the removed one. Raises LockError.
    """

    def __init__(self, socket_path: Path, setting: str = "--endpoint") -> None:
        """setting: what names the socket, for messages."""
        self._setting = setting
        self._socket_path = socket_path
        self._path = socket_path.with_name(socket_path.name + ".lock")
        self._file = -1

    def acquire(self, *, keep_socket: bool = False) -> None:
        """Take the lock and clear away the socket a dead daemon left behind.

        keep_socket: the socket is systemd's, and alive.
        """
        try:
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            self._take()
            if not keep_socket:
                self._clear_stale_socket()
        except OSError as error:
            self.release()
            raise LockError(
                f"cannot use {error.filename or self._path}: {error.strerror}; choose a "
                f"local folder you may write with {self._setting}"
            ) from error
        except LockError:
            self.release()
            raise

    def release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _take(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise LockError(
                f"a sambertd (pid {owner}) already serves {self._socket_path}; "
                f"use it, stop it, or choose another {self._setting}"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def _clear_stale_socket(self) -> None:
        try:
            mode = self._socket_path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise LockError(
                f"{self._socket_path} exists and is not a socket; "
                f"move it away or choose another {self._setting}"
            )
        self._socket_path.unlink()
