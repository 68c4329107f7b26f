"""What a child process prints, line by line."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator

LONGEST = 65536  # bytes kept of a line that does not end
LOOK_MS = 500  # how soon the end of a child is seen whose pipe somebody else holds open


def lines_until_end(child: subprocess.Popen[bytes]) -> Iterator[str]:
    """Its lines until it ends, whoever else still holds its pipe. It is not reaped."""
    assert child.stdout is not None, "started without a pipe"
    pipe, held = child.stdout.fileno(), b""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while True:
        ready = poll.poll(LOOK_MS)
        data = os.read(pipe, LONGEST) if ready else b""
        if not data and (ready or _ended(child)):
            break
        *lines, held = (held + data).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace")
        held = held[-LONGEST:]
    if held:
        yield held.decode("utf-8", "replace")
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


def _ended(child: subprocess.Popen[bytes]) -> bool:
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
