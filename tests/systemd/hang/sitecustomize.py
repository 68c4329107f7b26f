"""On PYTHONPATH of a daemon under test: its engine hangs at one text, and is soon stuck.

LOAD_S: seconds its voices take to load.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from typing import Any

if any("sambertd" in word for word in sys.orig_argv):
    server: Any = importlib.import_module("daemon.server")
    worker: Any = importlib.import_module("daemon.worker")
    next_chunk, load = worker._next_chunk, server.load_voices

    def hanging(job: Any) -> Any:
        if any("卡住" in text for text, _ in job.texts):
            time.sleep(3600)
        return next_chunk(job)

    def slow(*arguments: Any, **options: Any) -> Any:
        tell = arguments[4]
        tell("loading for long")
        time.sleep(float(os.environ.get("LOAD_S", "0")))
        return load(*arguments, **options)

    worker._next_chunk, server.load_voices = hanging, slow
    server.STALL_S = 2.0
