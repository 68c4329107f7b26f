"""A program run under watch: bounds on memory and time, low priority, and dead when we are.

The memory bound is kept by looking, not by RLIMIT_AS: CUDA reserves hundreds of gigabytes of
addresses that it never uses.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trt_build.errors import BuildError

POLL_S = 0.05
MOST_SAID = 4000  # bytes of stderr that are kept
COUNTED = ("RssAnon:", "RssShmem:", "VmSwap:")  # of /proc/PID/status; mapped libraries are not
Line = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a program; 0 is none. memory_mb: resident and swapped, files mapped not counted.

    idle: run only when nothing else wants the processor or the disk.
    """

    time_s: float = 0.0
    memory_mb: int = 0
    idle: bool = False


def run(command: Sequence[str], given: bytes, limits: Limits, line: Line) -> None:
    """Run a program to its end, `given` on its stdin.

    line: takes each line of its stdout as it comes; the program is killed once it answers False.

    Whatever way this returns, the program is gone. If this process dies, the program must see to
    that itself (`bind_to_parent`).

    Raises:
        BuildError: build_memory, build_timeout, build_cancelled; build_crashed or build_killed, by
            a signal; build_failed, any other exit status. The message ends with its last words.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us; we kill the program with all its children
    )
    watch = _Watch(process, limits, line)
    try:
        watch.feed(given)
        why = watch.follow()
    finally:
        _kill(process)
    if why is not None:
        raise why
    _judge(process.returncode, watch.last_words())


def memory_mb(pid: int) -> float:
    """Megabytes that a process has for itself, in memory and swapped out; 0.0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    except OSError:
        return 0.0
    return sum(int(it.split()[1]) for it in status.splitlines() if it.startswith(COUNTED)) / 1024


class _Watch:
    """One running program."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits, line: Line) -> None:
        self._process, self._limits, self._line = process, limits, line
        self._end = time.monotonic() + limits.time_s
        self._rest, self._stderr = b"", b""

    def feed(self, given: bytes) -> None:
        """All of stdin; a program that did not want it says why elsewhere."""
        assert self._process.stdin
        with suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(given)

    def follow(self) -> BuildError | None:
        """Read until both its outputs are closed and it is gone; what stopped it before that."""
        assert self._process.stdout
        assert self._process.stderr
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ, self._take)
            selector.register(self._process.stderr, selectors.EVENT_READ, self._hear)
            while True:
                gone = self._gone(0.0 if selector.get_map() else POLL_S)
                ready = selector.select(0.0 if gone else POLL_S) if selector.get_map() else []
                for key, _ in ready:
                    data = os.read(key.fd, 65536)
                    if not data:
                        selector.unregister(key.fileobj)
                    elif not key.data(data):
                        return BuildError(
                            "build_cancelled", "the build was stopped; start it again to have it"
                        )
                if gone and not ready:  # in this order: what it wrote last has been read
                    return None
                why = self._fault()
                if why is not None:
                    return why

    def last_words(self) -> str:
        """The end of what it said on stderr."""
        return self._stderr.decode("utf-8", "replace").strip()

    def _take(self, data: bytes) -> bool:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return all(self._line(line) for line in lines)

    def _gone(self, within: float) -> bool:
        """Whether it has ended, or does within so many seconds."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(within)
        return self._process.returncode is not None

    def _hear(self, data: bytes) -> bool:
        self._stderr = (self._stderr + data)[-MOST_SAID:]
        return True

    def _fault(self) -> BuildError | None:
        limits = self._limits
        alive = self._process.returncode is None  # else the number may be another process's
        used = memory_mb(self._process.pid) if limits.memory_mb and alive else 0.0
        if used > limits.memory_mb:
            return BuildError(
                "build_memory",
                f"the build took {used:,.0f} MB, more than the {limits.memory_mb:,} MB it may; "
                "give it more with --memory-mb, or less to try with --opt-level",
            )
        if limits.time_s and time.monotonic() > self._end:
            return BuildError(
                "build_timeout",
                f"the build was not done after {limits.time_s:g} s; give it more with "
                "--time-limit, or less to try with --opt-level",
            )
        return None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started, and wait for the end."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


def _judge(status: int, said: str) -> None:
    """Raise for an exit status that is not 0."""
    tail = f"; its last words: {said[-500:]}" if said else ""
    if status == 0:
        return
    if status > 0:
        raise BuildError("build_failed", f"the build ended with status {status}{tail}")
    name = signal.Signals(-status).name if -status in list(signal.Signals) else f"signal {-status}"
    if name == "SIGKILL":
        raise BuildError(
            "build_killed",
            "the build was killed, perhaps by the kernel for want of memory; close other programs "
            f"and build again{tail}",
        )
    raise BuildError(
        "build_crashed",
        f"the build crashed ({name}); that is a fault in TensorRT or the driver, of which other "
        f"versions may be free{tail}",
    )
