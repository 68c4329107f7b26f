"""What the engines gain over PyTorch, on this machine and in one run: docs/RESULTS.md.

    python -m benchmarks.report [--runs N] [--voices small full] [--out DIR]

Builds the INT8 engines of each voice for this box, then times PyTorch eager, the FP32 engines and
the built ones in turn, a process each. Every ratio is to the eager process of the same turn. The
built-in voice is built by `python -m trt_build build`, which calibrates, searches and judges. The
voice of full size has random weights and speaks noise, which no measure of speech can judge; its
layers are chosen as the built-in voice's are (`benchmarks/ungated.py`).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.results_page import page
from benchmarks.results_plot import plot
from benchmarks.speed import BUILT_IN, LEFT_OUT, ROOT, Figures, child, full_voice, machine, missing
from engines.pack import VoicePack
from engines.store import Store

EAGER, FP32, BUILT = "PyTorch FP32, eager", "ONNX Runtime FP32", "built for this box"
RATIOS = ("model_bytes", "rss_mb", "total_s", "rtf", "first_ms")


@dataclass(frozen=True, slots=True)
class Row:
    """One way to run a voice: medians of its figures, and of their ratios to eager."""

    figures: dict[str, float]
    ratios: dict[str, float]


@dataclass(frozen=True, slots=True)
class Built:
    """Engines: what the gate measured of all together, and backend and precision of each graph."""

    quality: dict[str, float]
    engines: dict[str, str]


@dataclass(frozen=True, slots=True)
class Result:
    """A voice: rows by side, and what was built."""

    rows: dict[str, Row]
    built: Built


def build(kind: str, voice: Path, store: Path) -> Built:
    """Build the engines of a voice.

    Raises:
        CalledProcessError: the build failed; it has said why.
    """
    module = ["trt_build", "build"] if kind == "small" else ["benchmarks.ungated"]
    command = [sys.executable, "-m", *module, str(voice), "--store", str(store)]
    subprocess.run(command, cwd=ROOT, check=True)
    manifest = Store(store).read(VoicePack(voice))
    assert manifest is not None
    won = {name: f"{e.backend} {e.precision}" for name, e in manifest.engines.items()}
    return Built(manifest.quality, won)


def measure(kind: str, voice: Path, store: Path, runs: int, passes: int) -> dict[str, Row]:
    """All sides in turn, `runs` times."""
    sides: dict[str, Callable[[], Figures]] = {
        EAGER: lambda: child("eager", kind, voice, passes),
        FP32: lambda: child("engines", kind, voice, passes),
        BUILT: lambda: child("engines", kind, voice, passes, store),
    }
    seen: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for turn in range(runs):
        for side, run in sides.items():
            print(f"{kind}, {side}: {turn + 1} of {runs} ...", file=sys.stderr, flush=True)
            seen[side].append(asdict(run()))
    return {side: _row(figures, seen[EAGER]) for side, figures in seen.items()}


def _row(figures: list[dict[str, float]], eager: list[dict[str, float]]) -> Row:
    turns = list(zip(figures, eager, strict=True))
    return Row(
        {key: statistics.median(f[key] for f in figures) for key in figures[0]},
        {key: statistics.median(f[key] / e[key] for f, e in turns) for key in RATIOS},
    )


def report(kinds: Mapping[str, Path], store: Path, runs: int, passes: int) -> dict[str, Result]:
    """Build and measure every voice."""
    built = {kind: build(kind, voice, store) for kind, voice in kinds.items()}
    return {
        kind: Result(measure(kind, voice, store, runs, passes), built[kind])
        for kind, voice in kinds.items()
    }


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--voices", nargs="+", choices=("small", "full"), default=["small", "full"])
    parser.add_argument("--runs", type=int, default=3, help="turns (default 3)")
    parser.add_argument("--passes", type=int, default=2, help="passes in each process (default 2)")
    parser.add_argument(
        "--out", type=Path, default=ROOT, help="the folder whose docs/ and benchmarks/ to write"
    )
    parser.add_argument(
        "--store", type=Path, metavar="DIR", help="keep the engines here, for the next report"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark and write the page, its figures and its picture."""
    args = parse(argv)
    kinds = [kind for kind in args.voices if kind != "small" or not missing()]
    if kinds != args.voices:
        print(LEFT_OUT.format(missing=missing()), file=sys.stderr)
    if not kinds:
        return 1
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        voices = {k: BUILT_IN if k == "small" else full_voice(work / "full") for k in kinds}
        try:
            store = args.store or work / "engines"
            results = report(voices, store, args.runs, args.passes)
        except subprocess.CalledProcessError as error:
            return int(error.returncode)
    write(args.out, machine(), results)
    return 0


def write(out: Path, facts: Mapping[str, object], results: Mapping[str, Result]) -> None:
    """RESULTS.md, report.json and report.png."""
    kept = out / "benchmarks" / "results"
    kept.mkdir(parents=True, exist_ok=True)
    (out / "docs").mkdir(exist_ok=True)
    voices = {kind: asdict(result) for kind, result in results.items()}
    text = json.dumps({"machine": facts, "voices": voices}, indent=2, ensure_ascii=False)
    (kept / "report.json").write_text(text + "\n", "utf-8")
    plot(voices, kept / "report.png")
    (out / "docs" / "RESULTS.md").write_text(page(facts, voices), "utf-8")
    print(f"wrote {out / 'docs' / 'RESULTS.md'}")


if __name__ == "__main__":
    sys.exit(main())
