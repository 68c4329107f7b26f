"""Telling systemd how the service is; does nothing where NOTIFY_SOCKET is not set or is dead."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

log = logging.getLogger(__name__)


class Notifier:
    """sd_notify(3) over the socket named in the environment."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._failed = False  # it is told once
        watchdog_us = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(watchdog_us) / 1e6 if watchdog_us.isdigit() and ours else 0.0

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def loading(self, status: str, for_s: float) -> None:
        """Start-up goes on: systemd waits this long for the next word, beyond TimeoutStartSec."""
        self._send(f"STATUS={status}\nEXTEND_TIMEOUT_USEC={int(for_s * 1e6)}")

    def reloading(self) -> None:
        """Settings are read again; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def watchdog(self) -> None:
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1\nSTATUS=stopping")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
                link.settimeout(1)  # a supervisor that does not read must not hold us up
                link.sendto(state.encode(), self._address)
        except OSError as error:
            if not self._failed:
                log.warning("NOTIFY_SOCKET %s does not answer: %s", self._address, error)
            self._failed = True
