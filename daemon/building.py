"""Builds of engines in child processes, one at a time: all that the daemon knows of the builder.

What it asks of `python -m trt_build build`: it publishes into the store by itself; it ends with 0
once the store holds all it can build, else its last line says why and what helps (that line ends
with `[store_locked]` where another process builds there); it may be killed at any moment.
Its lines of progress begin with seconds; of graphs they name the number:

    [  12.3 s] graph 2 of 6: duration_step (not built yet)
    [  14.0 s] duration_step int8: listening

Whatever becomes of a build, the daemon speaks on with what it has.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from daemon.lines import lines_until_end
from trt_build.humble import humble

log = logging.getLogger(__name__)
TOOLS = ("onnx", "pystoi", "pyworld")  # what the builder imports and the daemon does without
CURE = "in a checkout of sambertd run `pip install ./client '.[build]'`"
AFTER_S = 10.0  # a daemon that was started for one sentence builds nothing
GRACE_S = 2.0  # from SIGTERM to SIGKILL
NOT_OURS = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")  # systemd's word to the daemon alone
PROGRESS = re.compile(r"\[ *\d+\.\d s\] (.*)")
GRAPH = re.compile(r"graph (\d+) of (\d+): ")
LOCKED = re.compile(r"(process \S+) already builds .* \[store_locked\]")
State = Literal["never", "current", "waiting", "running", "elsewhere", "done", "failed"]
Command = Callable[[Path, Path], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Build:
    """How the build of one voice's engines stands. progress: 0 to 1; None is unknown."""

    state: State
    text: str = ""
    progress: float | None = None


STOPPED = Build("failed", "the daemon is shutting down")


def build_command(pack: Path, root: Path) -> list[str]:
    """Builds the engines of a voice pack into the store at `root`."""
    return [sys.executable, "-m", "trt_build", "build", str(pack), "--store", str(root)]


class Builder:
    """Runs builds. `builds` by voice may be read by any thread."""

    def __init__(
        self, root: Path, command: Command = build_command, after_s: float = AFTER_S
    ) -> None:
        self.builds: dict[str, Build] = {}
        self._root, self._command, self._after_s = root, command, after_s
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._waiting: dict[str, Path] = {}
        self._thread: threading.Thread | None = None  # while builds wait or run in the background

    def start(self, packs: Mapping[str, Path], done: Callable[[], None]) -> None:
        """Build for these voices too in the background, after a while; `done` after each."""
        with self._lock:
            for name in packs:
                self.builds[name] = Build("waiting")
            self._waiting.update(packs)
            if self._thread is None and self._waiting:
                self._thread = threading.Thread(
                    target=self._run, args=(done,), name="builds", daemon=True
                )
                self._thread.start()

    def settle(self, name: str) -> None:
        """A voice has engines for all of its graphs by now, whoever built them."""
        with self._lock:
            build = self.builds.get(name)
            if build is not None and build.state in ("never", "elsewhere", "failed"):
                self.builds[name] = Build("current")

    def forget(self, name: str) -> None:
        """A voice is gone: nothing more is built for it."""
        with self._lock:
            if self._waiting.pop(name, None) is not None:
                del self.builds[name]

    def build(
        self, name: str, pack: Path, tell: Callable[[str], None] = log.debug, *, idle: bool = False
    ) -> None:
        """Build for one voice now and return when that has ended; `builds` says how.

        tell: gets every step. idle: with what others leave of the processor.
        """
        lacking = [tool for tool in TOOLS if find_spec(tool) is None]
        if lacking:
            self.builds[name] = Build("failed", f"{lacking[0]} is not installed; {CURE}")
            log.info("no engines are built for %s: %s", name, self.builds[name].text)
            return
        log.info("building engines for %s", name)
        self.builds[name] = Build("running", "starting")
        try:
            outcome = self._outcome(name, pack, tell, idle)
        except Exception as error:
            log.exception("the build could not be watched")
            outcome = Build("failed", f"{error}; run `python -m trt_build build {pack}`")
        self.builds[name] = outcome
        level = logging.WARNING if outcome.state == "failed" else logging.INFO
        log.log(level, "build of engines for %s: %s %s", name, outcome.state, outcome.text)

    def stop(self) -> None:
        """End the build at hand; no other begins."""
        with self._lock:
            self._stopping.set()
            self._kill(signal.SIGTERM)
            thread = self._thread
        if thread is not None:
            thread.join(GRACE_S)
        with self._lock:
            self._kill(signal.SIGKILL)
        if thread is not None:
            thread.join(GRACE_S)

    def _run(self, done: Callable[[], None]) -> None:
        """The thread of `start`: it must live as long as its child, which dies with it."""
        self._stopping.wait(self._after_s)
        while (work := self._next()) is not None:
            self.build(*work, idle=True)
            done()

    def _next(self) -> tuple[str, Path] | None:
        """The next voice to build for; None: the thread ends."""
        with self._lock:
            if self._stopping.is_set() or not self._waiting:
                self._thread = None
                return None
            name = next(iter(self._waiting))
            return name, self._waiting.pop(name)

    def _outcome(self, name: str, pack: Path, tell: Callable[[str], None], idle: bool) -> Build:
        command = humble(self._command(pack, self._root), idle=idle)
        with self._lock:
            if self._stopping.is_set():
                return STOPPED
            child = self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={key: value for key, value in os.environ.items() if key not in NOT_OURS},
                start_new_session=True,  # so that its own children can be ended with it
            )
        try:
            last = self._follow(name, child, tell)
        finally:
            with self._lock:
                self._kill(signal.SIGKILL)  # what it left behind; the child itself has ended
                self._child = None
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
        return STOPPED if self._stopping.is_set() else _judged(child.returncode, last, pack)

    def _follow(
        self, name: str, child: subprocess.Popen[bytes], tell: Callable[[str], None]
    ) -> str:
        """Book its progress until it ends; its last words."""
        last = ""
        for line in lines_until_end(child):
            log.debug("builder: %s", line)
            step = PROGRESS.fullmatch(line)
            if step is None:
                last = line.strip() or last
            else:
                share = _share(step[1], self.builds[name].progress)
                self.builds[name] = Build("running", step[1], share)
                tell(f"building engines for {name}: {step[1]}")
        return last

    def _kill(self, number: signal.Signals) -> None:
        """Signal the child and all of its own; while holding the lock, so that it is not reaped."""
        if self._child is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)


def _share(step: str, before: float | None) -> float | None:
    """How much is done when this step begins, 0 to 1; as before where it does not tell."""
    graph = GRAPH.match(step)
    if graph is None:
        return before
    number, of = int(graph[1]), int(graph[2])
    return (number - 1) / of if 1 <= number <= of else before


def _judged(code: int, last: str, pack: Path) -> Build:
    if code == 0:
        return Build("done")
    if locked := LOCKED.search(last):
        return Build("elsewhere", f"{locked[1]}; what it has built is taken up by itself")
    by_hand = f"run `python -m trt_build build {pack}` to see more"
    if code < 0:
        reason = f"it was killed by {signal.Signals(-code).name}, perhaps for want of memory"
        return Build("failed", f"{reason}; {by_hand}")
    return Build("failed", last or f"it ended with {code}; {by_hand}")
