"""Hostile messages by the thousand to a live daemon, which must go on answering `status`.

    python -m benchmarks.fuzz [--messages N] [--senders N] [--seed N] [--limit-ms MS] [--json FILE]

Senders, each a process with a connection of its own, send noise, broken and mutated requests,
nests, floods of parts, bytes that are not ZeroMQ and frames that are too large; the daemon with
the built-in voice, in another process, is asked for its status all the while. The exit code is 1
where a rule is broken: it ends, logs an error, answers what cannot be read, answers later than the
limit (99 of 100 times), grows by more than 5 % after the first tenth, or does not speak afterwards.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from sambertd_client import Client

from benchmarks.fuzz.sender import Sent, attack
from benchmarks.live.probe import Probe, Spread, spread
from benchmarks.live.process import DaemonProcess
from benchmarks.speed import machine

GROWTH = 1.05
SETTLED = 0.1  # of the messages: by then the pools of the runtime have their size
LINE_S = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was sent and how it was borne. rss_mb: after the first tenth, at the end."""

    messages: int
    took_s: float
    replies: int
    codes: dict[str, int]
    bad_messages: int
    status_ms: Spread
    rss_mb: tuple[float, float]
    broken: list[str]


class Attack:
    """One run: a daemon, its probe, and the senders' work as it proceeds."""

    def __init__(self, daemon: DaemonProcess, probe: Probe, messages: int) -> None:
        self._daemon, self._probe, self._messages = daemon, probe, messages
        self._settled_mb = 0.0
        self._start = self._said_at = time.monotonic()

    def follow(self, work: list[Future[Sent]]) -> list[Sent]:
        """Wait for the senders, with a line now and then; ends early where the daemon does."""
        while wait(work, timeout=0.1).not_done and self._daemon.alive:
            report = self._probe.last
            read = 0 if report is None else report.bad_messages
            if not self._settled_mb and read >= SETTLED * self._messages:
                self._settled_mb = self._rss_mb()
            if time.monotonic() - self._said_at >= LINE_S:
                self._said_at = time.monotonic()
                trips = spread(self._probe.trips_ms)
                line = f"{read} bad messages answered, status p99 {trips.p99:.1f} ms"
                print(f"[{self.seconds:5.0f} s] {line}", file=sys.stderr, flush=True)
        return [future.result() for future in work] if self._daemon.alive else []

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._start

    def _rss_mb(self) -> float:
        return self._daemon.holds().rss_bytes / 1e6

    def outcome(self, sent: list[Sent], took_s: float, limit_ms: float) -> Outcome:
        """What has come of it, and which rules were broken."""
        codes: Counter[str] = Counter()
        for one in sent:
            codes.update(one.codes)
        trips = spread(self._probe.trips_ms)
        now_mb = self._rss_mb() if self._daemon.alive else 0.0
        rss = (self._settled_mb or now_mb, now_mb)
        report = self._probe.last
        return Outcome(
            messages=sum(one.messages for one in sent),
            took_s=took_s,
            replies=sum(one.replies for one in sent),
            codes=dict(sorted(codes.items())),
            bad_messages=0 if report is None else report.bad_messages,
            status_ms=trips,
            rss_mb=rss,
            broken=[*self._broken(sent, codes), *_exceeded(trips, rss, limit_ms)],
        )

    def _broken(self, sent: list[Sent], codes: Counter[str]) -> list[str]:
        if not self._daemon.alive:
            return [f"the daemon ended: {self._daemon.last_words()}"]
        broken = [f"it logged: {line}" for line in self._daemon.complaints()[:5]]
        if self._probe.error is not None:
            broken.append(f"status was not answered: {self._probe.error}")
        if codes["internal"]:
            broken.append(f"{codes['internal']} errors were its own fault (internal)")
        broken += [f"{n} answers cannot be read" for n in [sum(s.unreadable for s in sent)] if n]
        lost = sum(one.not_taken for one in sent)
        return [*broken, f"it did not take {lost} messages in time"] if lost else broken


def _exceeded(trips: Spread, rss_mb: tuple[float, float], limit_ms: float) -> list[str]:
    broken = []
    if trips.p99 > limit_ms:
        broken.append(f"status took {trips.p99:.0f} ms (p99), more than {limit_ms:g}")
    if rss_mb[1] > GROWTH * rss_mb[0]:
        broken.append(f"memory grew from {rss_mb[0]:.0f} to {rss_mb[1]:.0f} MB")
    return broken


def fuzz(messages: int, senders: int, seed: int, limit_ms: float) -> Outcome:
    """Run it. Raises DaemonError where the daemon does not come up, or does not end well."""
    with (
        tempfile.TemporaryDirectory(prefix="sd-") as folder,
        DaemonProcess(Path(folder)) as daemon,
        Probe(_warm(daemon)) as probe,
        ProcessPoolExecutor(senders, mp_context=get_context("spawn")) as pool,
    ):
        run = Attack(daemon, probe, messages)
        shares = [messages // senders + (number < messages % senders) for number in range(senders)]
        work = [
            pool.submit(attack, daemon.endpoint, seed + number, share)
            for number, share in enumerate(shares)
        ]
        sent = run.follow(work)
        outcome = run.outcome(sent, run.seconds, limit_ms)
        if not outcome.broken:
            _speaks(daemon.endpoint)
    return outcome


def _warm(daemon: DaemonProcess) -> str:
    """Its endpoint, once it has spoken."""
    daemon.warm_up()
    return daemon.endpoint


def _speaks(endpoint: str) -> None:
    """Raises SambertdError where it does not."""
    with Client(endpoint, timeout=30) as client:
        client.resume(scope="all")
        client.cancel(scope="all")
        client.say("您好，欢迎光临。").read()


def main(argv: list[str] | None = None) -> int:
    """Run, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--messages", type=int, default=100_000, help="in all (default 100000)")
    parser.add_argument("--senders", type=int, default=4, help="connections (default 4)")
    parser.add_argument("--seed", type=int, default=0, help="of the first sender (default 0)")
    parser.add_argument("--limit-ms", type=float, default=50.0, help="for status (default 50)")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    args = parser.parse_args(argv)
    outcome = fuzz(args.messages, args.senders, args.seed, args.limit_ms)
    trips, (settled, last) = outcome.status_ms, outcome.rss_mb
    print(
        f"{outcome.messages} hostile messages in {outcome.took_s:.1f} s, "
        f"{outcome.replies} answers, {outcome.bad_messages} messages that could not be read\n"
        f"status, {trips.count} times: p50 {trips.p50:.1f} ms, p99 {trips.p99:.1f} ms, "
        f"longest {trips.most:.1f} ms\n"
        f"memory: {settled:.0f} MB after the first tenth, {last:.0f} MB at the end\n"
        + "".join(f"BROKEN: {line}\n" for line in outcome.broken),
        end="",
    )
    if args.json:
        facts = {"machine": machine(), **asdict(outcome)}
        args.json.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    sys.exit(main())
