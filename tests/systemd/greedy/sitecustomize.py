"""On PYTHONPATH of a service under test: its builds of engines take all memory there is."""

from __future__ import annotations

import sys

if sys.orig_argv[1:4] == ["-m", "trt_build", "build"]:
    taken = []
    while True:
        taken.append(b"\1" * (1 << 24))
