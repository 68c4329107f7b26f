"""`python -m daemon.lowly PARENT idle|normal COMMAND...`: a command that never outlives its parent.

It is set in the new process, before the command takes its place: a fork of a process with threads
may run no Python. `idle` leaves the processor to whoever else wants it, and the disk with it, which
Linux derives from that. Where memory runs out the kernel takes this process before any other.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
OOM_FIRST = "1000"


def lowly(command: Sequence[str], *, idle: bool) -> list[str]:
    """The command line that runs a command so. It dies with the thread that starts it."""
    manner = "idle" if idle else "normal"
    return [sys.executable, "-m", "daemon.lowly", str(os.getpid()), manner, *command]


def main(argv: Sequence[str]) -> None:
    """Become the command."""
    parent, manner, *command = argv
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit(0)  # it was gone before we could ask
    if manner == "idle":
        os.nice(19)
        with suppress(OSError):  # containers may forbid it; the niceness stays
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_FIRST, "ascii")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
