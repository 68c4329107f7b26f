"""Where the daemon listens when nobody says otherwise; the daemon uses the same rule."""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from .errors import BAD_ENDPOINT, NO_PERMISSION, NoDaemonError

SYSTEM_SOCKET = Path("/run/sambertd/sambertd.sock")
VARIABLE = "SAMBERTD_ENDPOINT"


def daemon_endpoint(environ: Mapping[str, str] = os.environ) -> str:
    """The endpoint a daemon started by this user binds."""
    if environ.get(VARIABLE):
        return environ[VARIABLE]
    service = environ.get("RUNTIME_DIRECTORY")  # set by systemd, several are joined by ":"
    if service:
        return f"ipc://{Path(service.split(':')[0]) / 'sambertd.sock'}"
    if os.geteuid() == 0:
        return f"ipc://{SYSTEM_SOCKET}"
    runtime = environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) if runtime else Path.home() / ".cache"
    return f"ipc://{folder / 'sambertd' / 'sambertd.sock'}"


def client_endpoint(environ: Mapping[str, str] = os.environ) -> str:
    """The user's own daemon if it has a socket, else the system's if it has one."""
    own = daemon_endpoint(environ)
    if environ.get(VARIABLE) or _is_socket(Path(own[len("ipc://") :])):
        return own
    return f"ipc://{SYSTEM_SOCKET}" if _is_socket(SYSTEM_SOCKET) else own


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def bad_endpoint(endpoint: str, why: str = "") -> NoDaemonError:
    """What to raise where no client can connect there."""
    because = f" ({why})" if why else ""
    forms = "write ipc:///path/of/its/socket or tcp://HOST:PORT"
    return NoDaemonError(f"{endpoint!r} is not an endpoint{because}; {forms}", BAD_ENDPOINT)


def is_listening(endpoint: str) -> bool:
    """Whether a process listens there now.

    Raises NoDaemonError where this user may not talk, or where it is no endpoint.
    """
    if not re.fullmatch(r"ipc://.+|tcp://.+:\d+", endpoint):
        raise bad_endpoint(endpoint)
    if endpoint.startswith("ipc://"):
        path = endpoint[len("ipc://") :]
        try:
            return _connects("\0" + path[1:] if path.startswith("@") else path)
        except PermissionError as error:
            text = f"no permission to talk to {endpoint}; join the group of its socket"
            raise NoDaemonError(text, NO_PERMISSION) from error
    url = urlsplit(endpoint)
    try:
        socket.create_connection((url.hostname or "", url.port or 0), timeout=2).close()
    except (OSError, ValueError):
        return False
    return True


def _connects(address: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(2)
        try:
            link.connect(address)
        except PermissionError:
            raise
        except (BlockingIOError, TimeoutError):  # somebody does, with a full queue
            return True
        except OSError:
            return False
    return True
