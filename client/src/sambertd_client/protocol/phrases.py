"""What the daemon keeps of what it has said."""

from __future__ import annotations

import msgspec


class CacheFigures(msgspec.Struct, kw_only=True, frozen=True):
    """Phrases that were said before. Since the start, but for what is kept now."""

    from_memory: int  # found
    from_disk: int
    missed: int
    dropped: int  # of no use on disk
    in_memory: int  # kept now
    memory_bytes: int
    on_disk: int
    disk_bytes: int
