"""Reaching a daemon: starting one for a command, and waiting until one is ready to speak."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .client import Client
from .endpoint import is_listening
from .errors import NoDaemonError
from .extras import INSTALL
from .terminal import Progress

ENDPOINT_TAKEN = 3  # sambertd's exit code where another one serves the endpoint
ANSWER_S = 20.0  # systemd takes connections from the start, the daemon answers once it has started
READY_S = 300.0
START_S = 10.0  # from the start of sambertd until it listens, at most, on a slow card
STOP_S = 15.0
Tell = Callable[[str], None]


class Launched:
    """A daemon this process started and will stop."""

    def __init__(self, command: str, endpoint: str) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the daemon
        self._process = subprocess.Popen(
            [command, "--endpoint", endpoint],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=_environ(),
            start_new_session=True,  # Ctrl-C is for us: we end it in our own time
        )

    def check(self) -> None:
        """Raises NoDaemonError, with the daemon's own last words, where it has ended."""
        code = self._process.poll()
        if code is not None and code != ENDPOINT_TAKEN:  # taken: another start was quicker, use it
            raise NoDaemonError(f"sambertd ended with exit code {code}:\n{self._last_words()}")

    def stop(self) -> None:
        """SIGTERM and wait; SIGKILL only where that does not help."""
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return "\n".join(lines[-8:])


def _environ() -> dict[str, str]:
    """Ours without what systemd told us for ourselves."""
    ours = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
    return {key: value for key, value in os.environ.items() if key not in ours}


def find_daemon() -> str:
    """The command `sambertd`, beside this Python or on PATH. Raises NoDaemonError."""
    beside = Path(sys.executable).with_name("sambertd")
    found = str(beside) if beside.is_file() else shutil.which("sambertd")
    if not found:
        raise NoDaemonError(f"sambertd is not installed here; {INSTALL}")
    return found


def await_start(endpoint: str, tell: Tell, wait_s: float = 0.0) -> bool:
    """Whether a daemon listens, after waiting for a `sambertd` that was started just now.

    wait_s: wait so long for any other.
    """
    began = time.monotonic()
    while not is_listening(endpoint):
        waited = time.monotonic() - began
        if waited >= wait_s and (waited > START_S or not _is_starting()):
            return is_listening(endpoint)  # it may have come up while we looked for it
        tell("waiting for sambertd to listen")
        time.sleep(0.05)
    return True


def connect(endpoint: str, progress: Progress, wait_s: float = 0.0) -> Client:
    """A client of a daemon that is there, is just starting, or comes within wait_s.

    Raises NoDaemonError.
    """
    listens = await_start(endpoint, progress.tell, wait_s)
    progress.clear()
    if not listens:
        text = f"no daemon listens on {endpoint}; start `sambertd`, or use `say --autostart`"
        raise NoDaemonError(text)
    return Client(endpoint, timeout=ANSWER_S, wait_s=wait_s)


def _is_starting() -> bool:
    """Whether a `sambertd` younger than START_S runs. Its lock would not tell: it comes later."""
    return any(_is_young_daemon(process) for process in Path("/proc").glob("[0-9]*"))


def _is_young_daemon(process: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        if not any(os.path.basename(word) == b"sambertd" for word in words[:2]):
            return False
        after_name = (process / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:  # it has ended, or is hidden from this user
        return False
    started = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started < START_S


def launch(endpoint: str, tell: Tell) -> Launched:
    """Start a daemon on an endpoint and wait until it answers. Raises NoDaemonError."""
    tell("starting sambertd")
    launched = Launched(find_daemon(), endpoint)
    deadline = time.monotonic() + READY_S
    try:
        while not is_listening(endpoint):
            launched.check()
            if time.monotonic() > deadline:
                raise NoDaemonError(f"sambertd did not listen within {READY_S:g} s")
            tell("starting sambertd")
            time.sleep(0.05)
    except BaseException:
        launched.stop()
        raise
    return launched


def wait_ready(client: Client, tell: Tell, launched: Launched | None = None) -> None:
    """Wait while the daemon loads its voices. Raises NoDaemonError."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            status = client.status()
        except NoDaemonError:
            if launched is not None:
                launched.check()
            raise
        if status.state != "loading":
            return
        if time.monotonic() > deadline:
            raise NoDaemonError(f"the daemon is {status.detail} since {READY_S:g} s; see its log")
        tell(status.detail)
        time.sleep(0.1)
