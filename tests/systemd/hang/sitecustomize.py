"""On PYTHONPATH of a daemon under test: its engine hangs at one text, and is soon stuck."""

from __future__ import annotations

import sys
import time

if sys.argv[:1] == ["-c"] or any("sambertd" in word for word in sys.orig_argv):
    import daemon.server
    import daemon.worker

    advance = daemon.worker._advance

    def hanging(job: daemon.worker.Job) -> daemon.worker.Result:
        if job.text == "卡住":
            time.sleep(3600)
        return advance(job)

    daemon.worker._advance = hanging
    daemon.server.STALL_S = 2.0
