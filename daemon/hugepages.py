"""Huge memory pages for the models' weights.

A decoder step reads every weight once, megabytes of them; with pages of 4 KB the processor spends
a tenth of that time on finding pages. glibc's allocator asks for huge ones if told so at start
(`GLIBC_TUNABLES`, glibc 2.35 and later), which matters where the kernel gives them on request only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

TUNABLES = "GLIBC_TUNABLES"
ASK = "glibc.malloc.hugetlb=1"
MODE = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def wanted(environment: Mapping[str, str], mode: Path = MODE) -> bool:
    """Whether asking would change anything and nobody has decided about it."""
    if TUNABLES in environment:
        return False
    try:
        return "[madvise]" in mode.read_text("ascii")
    except OSError:
        return False


def ask() -> None:
    """Start this process anew, under the same number, asking for huge pages where that is wanted.

    To be called before anything is loaded or opened.
    """
    if wanted(os.environ):
        environment = {**os.environ, TUNABLES: ASK}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
