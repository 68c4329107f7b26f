from __future__ import annotations

from tests.daemon.live import daemon, folder, raw_client, start_daemon

__all__ = ["daemon", "folder", "raw_client", "start_daemon"]
