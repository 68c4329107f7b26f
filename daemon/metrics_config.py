"""Where Prometheus finds the daemon's figures.

[metrics]
listen = ""  # nowhere; "unix:///run/sambertd/metrics.sock", for the daemon's user and group;
             # "127.0.0.1:9464" or "[::1]:9464", for every user of this box

Over HTTP, at /metrics. They tell how much is said, by nobody's name, and never what.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from daemon.access_config import MAX_IPC_PATH
from daemon.config_errors import ConfigError

KEY, UNIX = "metrics.listen", "unix://"
CURE = 'write "unix:///run/sambertd/metrics.sock", "127.0.0.1:PORT" or "[::1]:PORT"'


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    listen: str = ""

    @property
    def socket_path(self) -> Path | None:
        """The file of a unix socket; None for a port."""
        return Path(self.listen.removeprefix(UNIX)) if self.listen.startswith(UNIX) else None

    @property
    def port(self) -> tuple[str, int]:
        """Address and port, of the loopback. Raises ConfigError."""
        try:
            url = urlsplit(f"//{self.listen}")
            host, port = url.hostname or "", url.port
            address = ip_address(host)
        except ValueError as error:
            raise ConfigError(f"{KEY}: {self.listen!r}: {error}; {CURE}") from error
        if not port or url.netloc != self.listen or url.username is not None:
            raise ConfigError(f"{KEY}: {self.listen!r} names no port; {CURE}")
        if not address.is_loopback:
            raise ConfigError(
                f"{KEY}: {self.listen} can be reached from the network, where HTTP asks nobody who "
                f"they are and encrypts nothing; {CURE}, and let an agent on this box pass it on"
            )
        return host, port

    def check(self) -> None:
        """Raises ConfigError."""
        path = self.socket_path
        if path is None:
            if self.listen:
                _ = self.port
        elif not path.is_absolute() or not path.name or len(bytes(path)) > MAX_IPC_PATH:
            text = f"{self.listen!r} is no path of 1 to {MAX_IPC_PATH} bytes from the root"
            raise ConfigError(f"{KEY}: {text}; {CURE}")
