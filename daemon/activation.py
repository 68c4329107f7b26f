"""The listening socket that systemd hands over, see sd_listen_fds(3).

It is open before the daemon starts and while it is down: what is sent meanwhile waits in it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from pathlib import Path

FIRST_FD = 3
OURS = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class ActivationError(Exception):
    """What was handed over cannot be served; the message names the cure."""


def inherited(
    environ: MutableMapping[str, str], path: Path | None, first: int = FIRST_FD
) -> int | None:
    """The number of the listening socket at `path` that was handed to this process, if any was.

    Takes the variables out of `environ`, so that no child takes them for its own.

    Raises ActivationError where it listens elsewhere or there is more than one.
    """
    pid, count = (environ.get(name, "") for name in OURS[:2])
    for name in OURS:
        environ.pop(name, None)
    if pid != str(os.getpid()) or count in ("", "0"):
        return None
    if count != "1":
        text = f"systemd hands over {count} sockets; keep one ListenStream= in sambertd.socket"
        raise ActivationError(text)
    os.set_inheritable(first, False)
    where = _address(first)
    if path is None or where != str(path):
        raise ActivationError(
            f"systemd listens on {where!r} but the endpoint is {path or 'no socket file'}; make "
            "ListenStream= of sambertd.socket and `endpoint` of the settings the same, or stop "
            "and disable sambertd.socket"
        )
    return first


def _address(fd: int) -> str:
    """Where a unix stream socket is bound. Raises ActivationError for anything else."""
    try:
        with socket.socket(fileno=os.dup(fd)) as link:
            if link.family == socket.AF_UNIX and link.type == socket.SOCK_STREAM:
                return os.fsdecode(link.getsockname())
    except OSError as error:
        raise ActivationError(f"systemd handed over no socket: {error.strerror}") from error
    raise ActivationError("systemd hands over no unix socket; write ListenStream=/path")
