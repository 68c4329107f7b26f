"""What this process holds of the machine's memory, and giving back what it no longer needs.

glibc keeps freed memory for later use. Weights that come and go leave holes that the next ones do
not fit into: each swap of a full-size voice would cost some 170 MB more for good.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

STATM = Path("/proc/self/statm")
BIG = 1 << 20  # bytes
M_MMAP_THRESHOLD = -3  # of malloc.h


def resident_bytes() -> int:
    """Memory this process has in use; 0 where the kernel does not tell."""
    try:
        pages = int(STATM.read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def trim() -> None:
    """Return freed memory to the kernel, where the C library can: some 30 ms after a voice."""
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give_back is not None:
        give_back(0)


def keep_big_apart() -> None:
    """Blocks of a megabyte and more lie apart from the heap, and leave no holes in it when freed.

    glibc begins so, and after the first such block is freed takes the next ones from the heap.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_MMAP_THRESHOLD, BIG)
