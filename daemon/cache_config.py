"""The settings of the phrase cache: what was said before is said again from there.

[cache]
enabled = true
memory_mb = 32   # MiB of phrases that are found at once; 0 keeps none in memory
disk_mb = 256    # MiB of phrases that outlive the daemon; 0 keeps none on disk
folder = "/var/cache/sambertd/phrases"  # of its own; else in $CACHE_DIRECTORY, then
                                        # $XDG_CACHE_HOME/sambertd, then ~/.cache/sambertd

A second of speech takes 64 kB at 16 kHz, in memory and on disk.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engines.store import cache_folder

if TYPE_CHECKING:
    from engines.phrases import PhraseCache

MIB = 1 << 20


def default_folder(environ: Mapping[str, str]) -> Path:
    """Where phrases are kept if nobody says."""
    return cache_folder(environ) / "phrases"


@dataclass(frozen=True, slots=True)
class CacheConfig:
    enabled: bool = True
    memory_mb: int = 32
    disk_mb: int = 256
    folder: Path = field(default_factory=lambda: default_folder(os.environ))

    def open(self) -> PhraseCache | None:
        """The cache; None where there is to be none. A folder that refuses is a line in the log."""
        if not self.enabled:
            return None
        from engines.phrases import PhraseCache  # heavy: after all settings are checked

        root = self.folder if self.disk_mb else None
        return PhraseCache(self.memory_mb * MIB, root, self.disk_mb * MIB)
