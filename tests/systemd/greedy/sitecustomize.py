"""On PYTHONPATH of a service under test: its builds of engines take all memory, or all time.

TAKE: "memory", only where a limit is set; else "time".
"""

from __future__ import annotations

import os
import sys
import time

if sys.orig_argv[1:4] == ["-m", "trt_build", "build"]:
    taken = []
    while True:
        if os.environ["TAKE"] == "memory":
            taken.append(b"\1" * (1 << 24))
        else:
            time.sleep(1)
