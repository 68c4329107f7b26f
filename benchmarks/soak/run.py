"""The soak itself: the daemon, its clients, and those who watch."""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from sambertd_client import Client, SambertdError

from benchmarks.live.probe import Probe, spread
from benchmarks.live.process import SILENT, DaemonProcess, Holdings
from benchmarks.soak.account import Account
from benchmarks.soak.clients import Announcer, Deaf, Desk, SlowReader, Talker
from benchmarks.soak.garbage import Garbage
from benchmarks.soak.librarian import Librarian, shelf
from benchmarks.soak.rules import JUDGED_S, SPARE, Outcome, broken, flatness
from benchmarks.soak.watch import Watch
from tests.daemon.sink import Sink, missing

ROLES: tuple[type[Talker], ...] = (
    *[Talker] * 3,
    *[Announcer] * 2,
    SlowReader,
    Deaf,
    Librarian,
)
SETTINGS = "[limits]\nstall_s = 5.0\nappend_s = 10.0\npause_s = 5.0\n"
PHRASES_MB = 4  # so little that it is full, and things go, before the measuring begins
LINE_S = 10.0
ENDING_S = 60.0


class Role(Protocol):
    """One that does something until the soak is over."""

    def run(self) -> None:
        """Do it."""


class Crew:
    """All roles, each in a thread of its own."""

    def __init__(self, endpoint: str, seed: int, speaker: bool) -> None:
        self.account, self._stopped = Account(), threading.Event()
        self._endpoint = endpoint
        desks = [
            Desk(endpoint, random.Random(seed + number), self.account, self._stopped, speaker)
            for number in range(len(ROLES) + 1)
        ]
        self.garbage = Garbage(desks.pop())
        roles: list[Role] = [role(desk) for role, desk in zip(ROLES, desks, strict=True)]
        self._threads = [
            threading.Thread(target=self._run, args=(role,), name=type(role).__name__)
            for role in (*roles, self.garbage)
        ]

    def _run(self, role: Role) -> None:
        try:
            role.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody asked for it
            self.account.fault(f"{type(role).__name__}: {type(error).__name__}: {error}")

    def start(self) -> None:
        """Let them all do what they do."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Nothing new is begun; what is being said is cancelled until nobody says anything."""
        self._stopped.set()
        until = time.monotonic() + ENDING_S
        with self.account.booked("the end"), Client(self._endpoint, timeout=30) as client:
            while time.monotonic() < until and any(one.is_alive() for one in self._threads):
                client.cancel(scope="all")
                time.sleep(0.1)
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                self.account.fault(f"{thread.name} did not come to its end in {ENDING_S:g} s")


@contextmanager
def daemon_with_sound(folder: Path) -> Iterator[tuple[DaemonProcess, bool]]:
    """A daemon that plays into a sound server without a card, where there is one."""
    with ExitStack() as stack:
        sink = None if missing() else Sink(folder)
        if sink is None:
            print(f"no speaker in this soak: it {missing()}", file=sys.stderr)
        else:
            stack.callback(sink.stop)
        sound = SILENT if sink is None else ""
        env = None if sink is None else sink.env
        voices, settings = shelf(folder / "voices"), SETTINGS + sound
        daemon = DaemonProcess(folder, voices, settings, phrases_mb=PHRASES_MB, env=env)
        yield stack.enter_context(daemon), sink is not None


def soak(seconds: float, seed: int) -> Outcome:
    """Run it. Raises DaemonError where the daemon does not come up, or does not end well."""
    with (
        tempfile.TemporaryDirectory(prefix="sd-") as name,
        daemon_with_sound(Path(name)) as (daemon, speaker),
    ):
        if seconds >= JUDGED_S:
            daemon.warm_up()
        before = daemon.holds()
        crew = Crew(daemon.endpoint, seed, speaker)
        with Probe(daemon.endpoint, 0.1) as probe, Watch(daemon, probe) as watch:
            crew.start()
            _wait(seconds, daemon, crew, watch)
            crew.stop()
        return _outcome(daemon, seconds, speaker, crew, (probe, watch, before))


def _wait(seconds: float, daemon: DaemonProcess, crew: Crew, watch: Watch) -> None:
    """With a line now and then."""
    start = said_at = time.monotonic()
    while time.monotonic() < start + seconds and daemon.alive:
        time.sleep(0.2)
        if time.monotonic() >= said_at + LINE_S and watch.looks:
            said_at, look = time.monotonic(), watch.looks[-1]
            print(
                f"[{look.at_s:5.0f} s] {sum(crew.account.said.values())} requests, "
                f"{crew.account.fault_count} errors nobody asked for, {look.rss_mb:.0f} MB, "
                f"status {look.status_ms:.0f} ms",
                file=sys.stderr,
                flush=True,
            )


def _outcome(
    daemon: DaemonProcess,
    seconds: float,
    speaker: bool,
    crew: Crew,
    seen: tuple[Probe, Watch, Holdings],
) -> Outcome:
    """What is to be told, once all clients have left."""
    probe, watch, before = seen
    until = time.monotonic() + ENDING_S
    try:
        with Client(daemon.endpoint, timeout=30) as client:
            while (now := client.status()).in_work + now.waiting and time.monotonic() < until:
                time.sleep(0.1)
            status, stats = client.status(), client.stats()
    except SambertdError as error:
        words = f"it does not answer after the soak ({error}): {daemon.last_words()}"
        raise RuntimeError(words) from error
    while (after := daemon.holds()).files > before.files + SPARE and time.monotonic() < until:
        time.sleep(0.1)
    outcome = Outcome(
        seconds=seconds,
        speaker=speaker,
        account=crew.account,
        garbage=crew.garbage.sent,
        looks=watch.looks,
        status=status,
        stats=stats,
        status_ms=spread(probe.trips_ms),
        first_ms={sink: spread(values) for sink, values in crew.account.first_ms.items()},
        rss_mb=flatness(watch.looks),
        holdings=(before, after),
    )
    outcome.broken = broken(outcome)
    outcome.broken += [f"it logged: {line}" for line in daemon.complaints()[:5]]
    outcome.broken += [f"status was not answered: {probe.error}"] if probe.error else []
    return outcome
