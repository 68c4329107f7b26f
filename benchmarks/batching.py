"""Decoder steps that several utterances share, against each utterance taking its own.

    python -m benchmarks.batching [--voice DIR] [--rounds N] [--json FILE]

As many threads as utterances decode the same sentence at once, with a reader that takes all:
each its own steps (which two cores do side by side), or all in batches. Then whole utterances,
vocoder included, each in a thread of its own. Rounds take turns, and the fastest of each way
counts: what else a machine does can only add to a time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sentences import SENTENCES
from benchmarks.speed import BUILT_IN, keep
from engines.acoustic import AcousticModel, AcousticSessions, MelStream
from engines.decoding import Alone, Decoder, Together
from engines.pack import VoicePack
from engines.session import Floats
from engines.voice import Plan, RuntimeOptions, Voice

UTTERANCES = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Row:
    """So many utterances at once: microseconds per step of each, seconds of engines per second
    of speech; apart and together."""

    utterances: int
    apart_us: float
    together_us: float
    apart_rtf: float
    together_rtf: float


class Reader:
    """Takes all frames and keeps none."""

    full = False

    def stopped(self) -> bool:
        """It never is."""
        return False

    def put(self, frames: Floats) -> None:
        """Gone."""


def timed(work: Callable[[], object], count: int) -> float:
    """Seconds for `count` threads to do the work once each."""
    with ThreadPoolExecutor(count) as threads:
        start = time.perf_counter()
        for done in [threads.submit(work) for _ in range(count)]:
            done.result()
        return time.perf_counter() - start


def step_us(model: AcousticModel, plan: Plan, decoder: Decoder, count: int) -> float:
    """Microseconds per step of `count` utterances at once, all steps counted."""
    utterance = model.prepare(next(plan.parts).ids, plan.controls)
    streams = [MelStream(model, utterance) for _ in range(count)]
    steps = sum(stream.steps for stream in streams)
    return 1e6 * timed(lambda: decoder.decode(streams.pop(), Reader()), count) / steps


def rtf(voice: Voice, count: int) -> float:
    """Seconds per second of speech, of `count` whole utterances at once."""
    spoken: list[int] = []

    def speak() -> None:
        spoken.append(sum(len(chunk.pcm) for chunk in voice.stream(voice.plan(SENTENCES[0]))))

    seconds = timed(speak, count)
    return seconds * voice.info.sample_rate / sum(spoken)


def measure(folder: Path, rounds: int) -> list[Row]:
    """Both ways in turn."""
    most, pack = max(UTTERANCES), VoicePack(folder)
    apart = Voice(pack, RuntimeOptions(streams=most, batching=False))
    together = Voice(pack, RuntimeOptions(streams=most), apart.sessions)
    sessions = {name: it for name, it in apart.sessions.items() if name != "vocoder"}
    model = AcousticModel(pack.file.acoustic, AcousticSessions(**sessions), pack.file.source)
    rows = []
    with apart, together:
        for count in UTTERANCES:
            print(f"{count} at once ...", file=sys.stderr, flush=True)
            times = [
                (
                    step_us(model, apart.plan(SENTENCES[0]), Alone(), count),
                    step_us(model, apart.plan(SENTENCES[0]), Together(), count),
                    rtf(apart, count),
                    rtf(together, count),
                )
                for _ in range(rounds + 1)
            ]
            rows.append(Row(count, *map(min, zip(*times[1:], strict=True))))
    return rows


def table(rows: list[Row]) -> str:
    """The rows for people, as Markdown."""
    lines = [
        "| at once | us per step, apart | together | gain | RTF, apart | together | gain |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.utterances} | {r.apart_us:.0f} | {r.together_us:.0f} "
        f"| **{r.apart_us / r.together_us:.2f}x** | {r.apart_rtf:.4f} | {r.together_rtf:.4f} "
        f"| **{r.apart_rtf / r.together_rtf:.2f}x** |"
        for r in rows
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batching", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--voice", type=Path, default=BUILT_IN, help="a voice pack")
    parser.add_argument("--rounds", type=int, default=9, help="rounds (default 9)")
    parser.add_argument("--json", type=Path, help="write all figures here as well")
    args = parser.parse_args(argv)
    rows = measure(args.voice, args.rounds)
    print(table(rows))
    keep(args.json, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
