"""What length costs: time and memory of the engines for 10 s to 120 s of speech in one utterance.

    python -m benchmarks.length [--voice DIR] [--runs N] [--json FILE] [--plot FILE]

One of the texts is a single sentence of a minute, which is spoken in parts. Each figure comes from
a process of its own that has spoken the ten sentences three times and a long part before. By then
the runtime's memory pools, which grow in steps of up to 20 MB the first times a shape comes up,
have their size; what memory grows by afterwards is due to length. Silence between parts costs
nothing and does not count as speech.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

from benchmarks.sentences import SENTENCES
from benchmarks.speed import BUILT_IN, ROOT, machine, peak_rss_mb

SENTENCES_PER_SECOND = len(SENTENCES) / 31.0
CLOSING = "。？"  # of the ten


@dataclass(frozen=True, slots=True)
class Length:
    """About how many seconds of speech, in one sentence or many."""

    seconds: int
    single: bool

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.seconds} s" + (", one sentence" if self.single else "")


LENGTHS = (Length(10, False), Length(30, False), Length(60, True), Length(120, False))
WARM_UP = (*[Length(31, False)] * 3, Length(18, True))  # the last is one part, about the longest


@dataclass(frozen=True, slots=True)
class Figures:
    """One process's figures.

    wall, cpu: seconds of the clock and of all cores per second of speech. first_ms: to the first
    audio. grown_mb: by which the peak resident set rose since the warm-up; peak_mb: in all.
    """

    speech_s: float
    parts: int
    wall: float
    cpu: float
    first_ms: float
    grown_mb: float
    peak_mb: float


def text_of(length: Length) -> str:
    """The ten sentences over and over; joined with commas for a single one."""
    count = round(length.seconds * SENTENCES_PER_SECOND)
    sentences = list(islice(cycle(SENTENCES), count))
    if not length.single:
        return "".join(sentences)
    return "，".join(sentence.rstrip(CLOSING) for sentence in sentences) + "。"


def run(voice: Path, length: Length) -> Figures:
    """Speak the text of one length in this process."""
    from engines.voice import Voice

    with Voice.load(voice) as loaded:
        for known in WARM_UP:
            for _ in loaded.stream(loaded.plan(text_of(known))):
                pass
        text = text_of(length)
        parts = sum(1 for _ in loaded.plan(text).parts)
        before = peak_rss_mb()
        wall, cpu = time.perf_counter(), time.process_time()
        samples, first = 0, 0.0
        for chunk in loaded.stream(loaded.plan(text)):
            first = first or time.perf_counter() - wall
            samples += len(chunk.pcm) if chunk.pcm.any() else 0
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        speech = samples / loaded.info.sample_rate
    peak = peak_rss_mb()
    return Figures(speech, parts, wall / speech, cpu / speech, 1000 * first, peak - before, peak)


def child(voice: Path, length: Length) -> Figures:
    """Measure one length in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.length", "--child", str(LENGTHS.index(length))]
    command += ["--voice", str(voice.resolve())]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def measure(voice: Path, runs: int) -> dict[Length, Figures]:
    """Medians over the runs, the lengths in turn."""
    found: dict[Length, list[Figures]] = {length: [] for length in LENGTHS}
    for index in range(runs):
        print(f"run {index + 1} of {runs} ...", file=sys.stderr, flush=True)
        for length in LENGTHS:
            found[length].append(child(voice, length))
    return {length: medians(figures) for length, figures in found.items()}


def medians(figures: list[Figures]) -> Figures:
    """Median of every figure."""
    rows = [asdict(figure) for figure in figures]
    return Figures(**{name: statistics.median(row[name] for row in rows) for name in rows[0]})


def table(results: dict[Length, Figures]) -> str:
    """The results for people, as Markdown."""
    lines = [
        "| text | speech s | parts | wall s per s | CPU s per s | first audio ms | RSS growth MB "
        "| peak RSS MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for length, f in results.items():
        lines.append(
            f"| {length.name} | {f.speech_s:.1f} | {f.parts} | {f.wall:.4f} | {f.cpu:.4f} "
            f"| {f.first_ms:.0f} | {f.grown_mb:.1f} | {f.peak_mb:.0f} |"
        )
    return "\n".join(lines)


def plot(results: dict[Length, Figures], path: Path) -> None:
    """Time and memory over the length of the speech, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
    for single, style, label in ((False, "o-", "many sentences"), (True, "s", "one sentence")):
        some = [f for length, f in results.items() if length.single == single]
        speech = [f.speech_s for f in some]
        left.plot(speech, [f.cpu for f in some], style, label=f"CPU, {label}")
        left.plot(speech, [f.wall for f in some], style, fillstyle="none", label=f"wall, {label}")
        right.plot(speech, [f.grown_mb for f in some], style, label=label)
    left.set_ylabel("seconds per second of speech")
    right.set_ylabel("growth of peak RSS, MB")
    right.set_ylim(top=max(10.0, *(1.2 * f.grown_mb for f in results.values())))
    for axis in (left, right):
        axis.set_xlabel("speech, s")
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.length", description=__doc__)
    parser.add_argument("--voice", type=Path, default=BUILT_IN, help="default: the built-in voice")
    parser.add_argument("--runs", type=int, default=3, help="processes for each length (default 3)")
    parser.add_argument("--json", type=Path, help="write all figures here as well")
    parser.add_argument("--plot", type=Path, help="draw them here (PNG)")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark, or one child of it."""
    args = parse(argv)
    if args.child is not None:
        print(json.dumps(asdict(run(args.voice, LENGTHS[args.child]))))
        return 0
    results = measure(args.voice, args.runs)
    facts = machine()
    print(f"{facts['processor']}, {facts['cores']} cores; medians of {args.runs} runs\n")
    print(table(results))
    for path in filter(None, (args.json, args.plot)):
        path.parent.mkdir(parents=True, exist_ok=True)
    if args.json:
        named = {length.name: asdict(figures) for length, figures in results.items()}
        args.json.write_text(json.dumps({"machine": facts, "lengths": named}, indent=2) + "\n")
    if args.plot:
        plot(results, args.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
