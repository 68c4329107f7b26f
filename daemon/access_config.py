"""Where the daemon listens, and who may do what there.

[access]
listen = ""         # besides `endpoint`: "tcp://0.0.0.0:5555", encrypted, for those with a key
keys = "/var/lib/sambertd/keys"  # its own key, and those of `sambertctl keys allow`; else in
                    # $STATE_DIRECTORY, then $XDG_STATE_HOME/sambertd, then ~/.local/state/sambertd
admins = []         # users that may also change what others say, and the daemon: ["operator"];
                    # root and the daemon's own user always may
insecure_loopback = false  # let an `endpoint` on tcp://127.0.0.1 in without encryption: then every
                    # user and program of this box may speak. For tests and containers

TCP is encrypted and asks for a key (CURVE), on the loopback too; see docs/SECURITY.md.
"""

from __future__ import annotations

import pwd
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from sambertd_client.keyring import default_folder

from daemon.config_errors import ConfigError

MAX_IPC_PATH = 107  # bytes of sun_path
LOOPBACK = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class AccessConfig:
    listen: str = ""
    keys: Path = field(default_factory=default_folder)
    admins: tuple[str, ...] = ()
    insecure_loopback: bool = False

    def admin_uids(self) -> set[int]:
        """Raises ConfigError for a user that is not there."""
        return {_uid(name) for name in self.admins}

    def encrypted(self, endpoint: str) -> list[str]:
        """Of what is listened on, that which takes those with a key only."""
        mine = [] if endpoint.startswith("ipc://") or self.insecure_loopback else [endpoint]
        return [*mine, *([self.listen] if self.listen else [])]

    def check(self, endpoint: str) -> None:
        """Raises ConfigError for the first value that will not do."""
        self.admin_uids()
        if endpoint.startswith("ipc://"):
            _check_path(endpoint)
        else:
            host = _host("endpoint", endpoint)
            if self.insecure_loopback and host not in LOOPBACK:
                raise ConfigError(
                    f"access.insecure_loopback: {endpoint} is open to the network, where nobody "
                    "may speak without encryption; take it out: TCP is encrypted without it"
                )
        if self.listen:
            _host("access.listen", self.listen)


def _check_path(endpoint: str) -> None:
    length = len(endpoint.removeprefix("ipc://").encode())
    if not 1 <= length <= MAX_IPC_PATH:
        raise ConfigError(
            f"endpoint: a socket path has 1 to {MAX_IPC_PATH} bytes, this one {length}; "
            "choose a shorter folder with --endpoint ipc:///path"
        )


def _host(key: str, endpoint: str) -> str:
    """Of a TCP endpoint. Raises ConfigError."""
    try:
        url = urlsplit(endpoint)
        host, port = url.hostname, url.port
    except ValueError as error:
        raise ConfigError(f"{key}: {endpoint!r}: {error}") from error
    if url.scheme != "tcp" or not host or not port or url.path:
        path = "ipc:///path or " if key == "endpoint" else ""
        raise ConfigError(f"{key}: {endpoint!r}; write {path}tcp://0.0.0.0:PORT")
    return host


def _uid(name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        text = f"access.admins: there is no user {name!r} here; create it, or take it out"
        raise ConfigError(text) from None
