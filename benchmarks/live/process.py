"""A daemon as it is run, `python -m daemon` in a process of its own, and what it holds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sambertd_client import Client
from sambertd_client.closing import Closing
from sambertd_client.endpoint import is_listening

from benchmarks.sentences import SENTENCES
from benchmarks.speed import ROOT

SILENT = "[speaker]\nenabled = false\n"
READY_S = 120.0
TOGETHER = 4  # what it makes at once, unless it is told otherwise
LONGEST = "啊" * 80
LAST_WORDS = 2000  # characters of a log that are shown


class DaemonError(Exception):
    """The daemon did not come up, or did not end well; the message has its last words."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a process has in use: resident bytes, open files, threads."""

    rss_bytes: int
    files: int
    threads: int


class DaemonProcess(Closing):
    """A daemon that serves `voices` at `endpoint`; leaving the `with` block ends it.

    settings: the text of its TOML file after endpoint and voices. phrases_mb: of its cache, in
    memory and on disk; 0: none, what is said is made. env: its environment, where a sound server
    is to be found in it. Raises DaemonError.
    """

    def __init__(
        self,
        folder: Path,
        voices: Path = ROOT / "voices",
        settings: str = SILENT,
        phrases_mb: int = 0,
        env: Mapping[str, str] | None = None,
        name: str = "d",
    ) -> None:
        self.endpoint = f"ipc://{folder / name}.sock"
        self.log = folder / f"{name}.log"
        config = folder / f"{name}.toml"
        head = f'endpoint = "{self.endpoint}"\nvoices = "{voices}"\n'
        phrases = f"[cache]\nmemory_mb = {phrases_mb}\ndisk_mb = {phrases_mb}\n"
        phrases += f'folder = "{folder / "phrases"}"\nenabled = {str(phrases_mb > 0).lower()}\n'
        config.write_text(head + settings + phrases, "utf-8")
        command = [sys.executable, "-m", "daemon", "--config", str(config), "--build", "never"]
        command += ["--store", str(folder / "engines")]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=dict(os.environ if env is None else env), stderr=log
            )
        self.pid = self._process.pid
        try:
            self._wait_until_ready()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + READY_S
        while not is_listening(self.endpoint):
            self._check(until)
            time.sleep(0.05)
        with Client(self.endpoint, timeout=READY_S) as client:
            while client.status().state != "ready":
                self._check(until)
                time.sleep(0.05)

    def _check(self, until: float) -> None:
        if self._process.poll() is not None:
            raise DaemonError(f"the daemon ended at once: {self.last_words()}")
        if time.monotonic() > until:
            raise DaemonError(f"the daemon was not ready in {READY_S:g} s: {self.last_words()}")

    def warm_up(self) -> None:
        """Speak some seconds, as long a part as there may be too: its pools get their size."""
        with Client(self.endpoint, timeout=READY_S) as client:
            for text in (*SENTENCES[:3], LONGEST):
                spoken = [client.say(text, credit=1024) for _ in range(TOGETHER)]
                for utterance in spoken:
                    utterance.wait()

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def holds(self) -> Holdings:
        """What it has in use now. Raises OSError where it has ended."""
        proc = Path("/proc") / str(self.pid)
        pages = int((proc / "statm").read_text("ascii").split()[1])
        files = len(list((proc / "fd").iterdir()))
        threads = len(list((proc / "task").iterdir()))
        return Holdings(pages * os.sysconf("SC_PAGE_SIZE"), files, threads)

    def complaints(self) -> list[str]:
        """Lines of its log that tell of an error."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return [line for line in lines if " ERROR " in line or line.startswith("Traceback")]

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text("utf-8", "replace")[-LAST_WORDS:]

    def close(self) -> None:
        """End it as a service manager does. Raises DaemonError where it does not end well."""
        self._process.terminate()
        try:
            code = self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise DaemonError("the daemon did not end in 30 s; it was killed") from None
        if code:
            raise DaemonError(f"the daemon ended with exit code {code}: {self.last_words()}")
