from __future__ import annotations

from tests.daemon.live import daemon, folder, raw_client, start_daemon
from tests.daemon.quiet_card import quiet_card

__all__ = ["daemon", "folder", "quiet_card", "raw_client", "start_daemon"]
