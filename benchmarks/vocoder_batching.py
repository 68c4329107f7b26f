"""The vocoder's chunks of several streams in one call, against one call for each.

    python -m benchmarks.vocoder_batching [--voice DIR] [--rounds N] [--json FILE]

Chunks of as many frames as the daemon makes, with a state each, of 1, 2 and 4 streams; with one
thread and with two in a call. Rounds take turns, and the fastest call of each kind counts: what
else a machine does can only add to a time. Only the processor is measured.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.speed import BUILT_IN, keep
from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.session import Floats

FRAMES = (6, 12, 24, 48)  # of a chunk, as a sentence goes on
STREAMS = (1, 2, 4)
THREADS = (1, 2)
DRAWN = np.random.default_rng(0)


@dataclass(frozen=True, slots=True)
class Row:
    """Milliseconds of one call for the chunks of `streams`.

    gain: how much longer a call for each of them takes. apart: the greatest difference of a
    stream's samples from those it has alone, full scale being 1.
    """

    threads: int
    frames: int
    streams: int
    ms: float
    gain: float
    apart: float


def inputs(session: OrtSession, pack: VoicePack, frames: int, streams: int) -> dict[str, Floats]:
    """Chunks of loud noise, in the middle of an utterance as far as the graph can tell."""
    file = pack.file
    mels = file.acoustic.mels - (2 if file.source else 0)  # without pitch and voicing
    fed = {"mel": DRAWN.standard_normal((streams, mels, frames), np.float32)}
    if file.source is not None:
        samples = frames * file.hop_length
        fed["excitation"] = DRAWN.standard_normal((streams, 1, samples), np.float32)
    fed["state"] = DRAWN.standard_normal((streams, session.state_size), np.float32)
    return fed


def measure(folder: Path, rounds: int) -> list[Row]:
    """All kinds, in turn."""
    pack, rows = VoicePack(folder), []
    for threads in THREADS:
        session = OrtSession(pack.graphs["vocoder"], threads)
        for frames in FRAMES:
            print(f"{threads} threads, {frames} frames ...", file=sys.stderr, flush=True)
            fed = {count: inputs(session, pack, frames, count) for count in STREAMS}
            times: dict[int, list[float]] = {count: [] for count in STREAMS}
            for _ in range(rounds):
                for count in STREAMS:
                    start = time.perf_counter()
                    session.run(fed[count])
                    times[count].append(1000 * (time.perf_counter() - start))
            best = {count: min(times[count]) for count in STREAMS}
            rows += [
                Row(
                    threads,
                    frames,
                    count,
                    best[count],
                    count * best[1] / best[count],
                    _apart(session, fed[count]),
                )
                for count in STREAMS
            ]
    return rows


def _apart(session: OrtSession, fed: dict[str, Floats]) -> float:
    together = session.run(fed)["wave"]
    alone = [
        session.run({name: value[at : at + 1] for name, value in fed.items()})["wave"]
        for at in range(len(together))
    ]
    return float(np.abs(together - np.concatenate(alone)).max())


def table(rows: list[Row]) -> str:
    """The rows for people, as Markdown: gain of 2 and of 4 streams in a call."""
    found = {(row.threads, row.frames, row.streams): row for row in rows}
    lines = [
        "| threads | frames | ms, 1 stream | 2 in a call | gain | 4 in a call | gain |",
        "|---|---|---|---|---|---|---|",
    ]
    for threads in THREADS:
        for frames in FRAMES:
            one, two, four = (found[threads, frames, count] for count in STREAMS)
            lines.append(
                f"| {threads} | {frames} | {one.ms:.2f} | {two.ms:.2f} | **{two.gain:.2f}x** "
                f"| {four.ms:.2f} | **{four.gain:.2f}x** |"
            )
    worst = max(row.apart for row in rows)
    return "\n".join(
        [*lines, f"\nA stream's samples differ from those alone by {worst:.1e} at most."]
    )


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.vocoder_batching", description=__doc__
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--voice", type=Path, default=BUILT_IN, help="a voice pack")
    parser.add_argument("--rounds", type=int, default=60, help="calls of each kind (default 60)")
    parser.add_argument("--json", type=Path, help="write all figures here as well")
    args = parser.parse_args(argv)
    rows = measure(args.voice, args.rounds)
    print(table(rows))
    keep(args.json, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
