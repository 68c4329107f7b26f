from __future__ import annotations

from tests.daemon.keeping import endpoint, start_keeping, tiny_voices
from tests.daemon.live import daemon, folder, raw_client, start_daemon
from tests.daemon.quiet_card import quiet_card

__all__ = [
    "daemon",
    "endpoint",
    "folder",
    "quiet_card",
    "raw_client",
    "start_daemon",
    "start_keeping",
    "tiny_voices",
]
