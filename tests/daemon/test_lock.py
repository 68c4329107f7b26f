from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from daemon.lock import EndpointLock, LockError


def test_a_lock_is_taken_once_and_free_after_its_release(folder: Path) -> None:
    first, second = EndpointLock(folder / "d.sock"), EndpointLock(folder / "d.sock")
    first.acquire()
    with pytest.raises(LockError, match="already serves"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_a_file_system_without_locks_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As some network file systems answer."""

    def refuse(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(LockError, match="No locks available; choose a local folder"):
        EndpointLock(folder / "d.sock").acquire()
