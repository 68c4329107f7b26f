"""What was said before, heard again: time to the first audio, over the real socket.

    python -m benchmarks.phrase_cache [--voices DIR] [--hits N] [--json FILE]

A daemon of its own speaks ten sentences, and says them again and again from its cache: alone, and
while two other clients have new texts spoken without a pause. Then what a voice keeps warm, without
the cache: a text for the first time and again, an emotion for the first time and again.

Times are milliseconds to the first audio: "daemon" from when it has read the request until it hands
the first audio to the socket, "client" from sending the request until that audio is there. A
`hello`, which is answered at once, tells what of that is the machine's and the socket's own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sambertd_client import Client
from sambertd_client.endpoint import is_listening

from benchmarks.sentences import SENTENCES
from benchmarks.speed import BUILT_IN, keep

BUSY = (0, 2)  # other clients
LONG = "展厅的灯光渐渐暗下来，大家安静地等待演出开始，舞台上的机器人向观众挥了挥手。"
GAP_S = 0.005  # from one hit to the next: nobody asks without a pause
Times = list[tuple[float, float]]  # in the daemon, at the client


@dataclass(frozen=True, slots=True)
class Row:
    """Milliseconds to the first audio of `count` requests."""

    what: str
    busy: int
    count: int
    daemon_p50: float | None
    daemon_p99: float | None
    client_p50: float
    client_p99: float


@contextmanager
def served(voices: Path) -> Iterator[str]:
    """The endpoint of a daemon of its own, ready, without a sound card."""
    with tempfile.TemporaryDirectory(prefix="sd-") as folder:
        endpoint = f"ipc://{folder}/d.sock"
        settings = Path(folder) / "d.toml"
        settings.write_text('[cache]\nfolder = "phrases"\n[engines]\nbuild = "never"\n', "utf-8")
        command = [sys.executable, "-m", "daemon", "--config", str(settings), "--no-speaker"]
        options = ["--endpoint", endpoint, "--voices", str(voices), "--log-level", "warning"]
        with subprocess.Popen([*command, *options]) as process:
            try:
                while not is_listening(endpoint):
                    if process.poll() is not None:
                        raise SystemExit("the daemon ended at once; its last words are above")
                    time.sleep(0.05)
                with Client(endpoint, timeout=60) as client:
                    while client.status().state == "loading":
                        time.sleep(0.05)
                yield endpoint
            finally:
                process.terminate()


def talk(endpoint: str, number: int) -> None:
    """New texts without a pause, until it is ended."""
    with Client(endpoint, timeout=60) as client:
        while True:
            client.say(f"第{number}句，{LONG}", cache="ignore").read()
            number += 2


@contextmanager
def company(endpoint: str, count: int) -> Iterator[None]:
    """So many other clients, each a process, busy from the start."""
    spawn = multiprocessing.get_context("spawn")
    others = [spawn.Process(target=talk, args=(endpoint, n), daemon=True) for n in range(count)]
    for other in others:
        other.start()
    with Client(endpoint) as client:
        while client.status().in_work < count:
            time.sleep(0.05)
    try:
        yield
    finally:
        for other in others:
            other.terminate()
            other.join()


def first_audio(client: Client, text: str, cached: float | None, **wishes: str) -> Times:
    """Of one text; cached: the share of it that must have come from the cache, None: any."""
    speech = client.say(text, **wishes)  # type: ignore[arg-type]
    speech.read()
    done = speech.done
    if done is None or done.ttfa_ms is None or speech.ttfa_ms is None:
        raise SystemExit(f"{text} made no sound: {done}")
    if cached not in (None, done.cached):
        raise SystemExit(f"{text}: {done.cached:.0%} of it came from the cache, not {cached:.0%}")
    return [(done.ttfa_ms, speech.ttfa_ms)]


def row(what: str, busy: int, times: Times) -> Row:
    """Percentiles of times."""
    daemon, client = (sorted(column) for column in zip(*times, strict=True))
    p50, p99 = len(times) // 2, min(len(times) - 1, int(0.99 * len(times)))
    return Row(what, busy, len(times), daemon[p50], daemon[p99], client[p50], client[p99])


def greetings(client: Client, count: int, busy: int) -> Row:
    """Round trips that need nothing of the daemon but its loop."""
    times = []
    for _ in range(count):
        began = time.monotonic()
        client.hello()
        times.append(1000 * (time.monotonic() - began))
        time.sleep(GAP_S)
    times.sort()
    p99 = min(count - 1, int(0.99 * count))
    return Row("a `hello`, to compare", busy, count, None, None, times[count // 2], times[p99])


def hits(endpoint: str, count: int, busy: int) -> Iterator[Row]:
    """From the cache, and beside that what is not there."""
    times: Times = []
    with Client(endpoint, timeout=60) as client:
        for text in SENTENCES:
            client.say(text, sink="none").wait()
    with Client(endpoint, timeout=60) as client, company(endpoint, busy):
        for number in range(count):
            times += first_audio(client, SENTENCES[number % len(SENTENCES)], 1.0)
            time.sleep(GAP_S)
        yield row("said before, from the cache", busy, times)
        yield greetings(client, count, busy)
        times = []
        for number in range(max(20, count // 20)):
            text = f"第{number + 1000}号，{SENTENCES[number % len(SENTENCES)]}"
            times += first_audio(client, text, 0.0, cache="ignore")
        yield row("new", busy, times)


def warmth(endpoint: str) -> Iterator[Row]:
    """Without the cache: what is said or how, for the first time and then again."""
    with Client(endpoint, timeout=60) as client:
        emotions = client.voices().voices[0].emotions

        def say(text: str, emotion: str = "neutral") -> Times:
            return first_audio(client, text, 0.0, cache="ignore", emotion=emotion)

        texts = [f"请第{number}位客人到前台。" for number in range(2000, 2040)]
        cases: list[tuple[str, Callable[[], Times]]] = [
            ("text for the first time", lambda: [t for text in texts for t in say(text)]),
            ("text again", lambda: [t for text in texts for t in say(text)]),
            (
                "emotion for the first time",
                lambda: [t for e in emotions[1:] for t in say("现在开始。", e)],
            ),
            (
                "emotion again",
                lambda: [t for _ in range(5) for e in emotions[1:] for t in say("现在开始。", e)],
            ),
        ]
        say("现在开始。")
        for what, measure in cases:
            yield row(what, 0, measure())


def table(rows: list[Row]) -> str:
    """The rows for people, as Markdown."""
    lines = [
        "| first audio, ms | busy clients | requests | daemon p50 | p99 | client p50 | p99 |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.what} | {r.busy} | {r.count} | {_ms(r.daemon_p50)} | {_ms(r.daemon_p99)} "
        f"| {_ms(r.client_p50)} | {_ms(r.client_p99)} |"
        for r in rows
    ]
    return "\n".join(lines)


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.phrase_cache", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    voices = "a folder of voice packs, the first of which speaks"
    parser.add_argument("--voices", type=Path, default=BUILT_IN.parent, help=voices)
    parser.add_argument("--hits", type=int, default=1000, help="per row (default 1000)")
    parser.add_argument("--json", type=Path, help="write all figures here as well")
    args = parser.parse_args(argv)
    rows: list[Row] = []
    with served(args.voices) as endpoint:
        for busy in BUSY:
            print(f"{busy} busy clients ...", file=sys.stderr, flush=True)
            rows += hits(endpoint, args.hits, busy)
        print("warmth ...", file=sys.stderr, flush=True)
        rows += warmth(endpoint)
    print(table(rows))
    keep(args.json, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
