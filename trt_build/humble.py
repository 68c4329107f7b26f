"""A process that dies with its parent, and gives way to everything else.

A program of ours does it to itself. Any other is started as `python -m trt_build.humble PARENT
idle|normal COMMAND...`, which does it in the new process before the command takes its place: a fork
of a process with threads may run no Python.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
IOPRIO_IDLE = 3 << 13
NICE, NICEST = 10, 19
OOM_FIRST = "1000"


def bind_to_parent(parent: int) -> None:
    """Be killed when the thread that started this process ends; exit if the parent is gone."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def go_first() -> None:
    """Be the first to go when memory runs out, where the system allows it."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_FIRST, "ascii")


def give_way(*, idle: bool) -> None:
    """Run behind others, and be the first to go when memory runs out.

    idle: run only when nothing else wants the processor or the disk. What the system does not allow
    is left out.
    """
    with suppress(OSError):
        os.nice(NICEST if idle else NICE)
    go_first()
    if not idle:
        return
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    number = IOPRIO_SET.get(platform.machine())
    if number:
        ctypes.CDLL(None, use_errno=True).syscall(number, 1, 0, IOPRIO_IDLE)


def humble(command: Sequence[str], *, idle: bool) -> list[str]:
    """The command line that runs a command so. It dies with the thread that starts it.

    idle: it gives way to all others; else it is only the first to go when memory runs out.
    """
    manner = "idle" if idle else "normal"
    return [sys.executable, "-m", "trt_build.humble", str(os.getpid()), manner, *command]


def main(argv: Sequence[str]) -> None:
    """Become the command."""
    parent, manner, *command = argv
    bind_to_parent(int(parent))
    if manner == "idle":
        give_way(idle=True)
    else:
        go_first()
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
