"""How fast, how soon, how much memory: the engines against PyTorch eager, on this machine.

    python -m benchmarks.speed [--json FILE] [--runs N] [--voices small full]

Each figure comes from processes of its own, engines and eager in turn, so that the ratios hold
where the machine's speed drifts. "small" is the built-in voice, "full" a voice of random weights
with the sizes of KAN-TTS's public 16 kHz models. Both sides speak sentence by sentence, so no audio
is silence put between sentences.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.sentences import SENTENCES

ROOT = Path(__file__).resolve().parent.parent
BUILT_IN = ROOT / "voices" / "yue"
CHECKPOINTS = ROOT / "training" / "checkpoints" / "yue"
LEFT_OUT = """\
small is left out: {missing} is missing. Train the built-in voice, then install it:
  make voice DATA=DIR OUT=training-run
  cp -r training-run/yue voices/
  mkdir -p training/checkpoints/yue && cp -r training-run/kantts/* training/checkpoints/yue/"""


@dataclass(frozen=True, slots=True)
class Figures:
    """One process's figures: medians over its passes.

    total_s: to speak all sentences; rtf: that per second of audio; rss_mb: the process's peak.
    """

    total_s: float
    rtf: float
    first_ms: float
    audio_s: float
    rss_mb: float
    model_bytes: int


def peak_rss_mb() -> float:
    """Peak resident set of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def run_engines(voice: Path, passes: int, store: Path | None = None) -> Figures:
    """Time the engines; first audio is the median over all sentences.

    store: where engines built for this box lie; else all graphs of the pack run on ONNX Runtime.
    """
    from engines.gpu_openers import gpu_openers
    from engines.one_gpu import OneGpu
    from engines.opening import open_engines
    from engines.pack import VoicePack
    from engines.store import Store
    from engines.voice import RuntimeOptions, Voice

    totals, firsts, samples = [], [], 0
    pack, options = VoicePack(voice), RuntimeOptions()
    files, sessions = pack.graphs, {}
    if store is not None:
        openers = gpu_openers(pack, OneGpu(), options.threads)
        opened = open_engines(pack, Store(store), options.threads, openers)
        built = [(n, engine.file) for n, engine in opened.engines.items() if engine.file]
        files = files | {name: Store(store).folder(pack) / file for name, file in built}
        sessions = opened.sessions
    with Voice(pack, options, sessions) as loaded:
        loaded.warm_up()
        for _ in range(passes):
            samples, begun = 0, time.perf_counter()
            for sentence in SENTENCES:
                start = time.perf_counter()
                stream = loaded.stream(loaded.plan(sentence))
                samples += len(next(stream).pcm)
                firsts.append(time.perf_counter() - start)
                samples += sum(len(chunk.pcm) for chunk in stream)
            totals.append(time.perf_counter() - begun)
        audio = samples / loaded.info.sample_rate
    total = statistics.median(totals)
    size = sum(path.stat().st_size for path in files.values())
    return Figures(
        total, total / audio, 1000 * statistics.median(firsts), audio, peak_rss_mb(), size
    )


def run_eager(kind: str, passes: int) -> Figures:
    """Time PyTorch eager; first audio is the first sentence's, which leaves when it is whole."""
    from benchmarks import random_voice
    from benchmarks.eager import EagerVoice
    from benchmarks.trained import load_trained

    models, f0 = (
        (random_voice.full_size(), (250.0, 50.0)) if kind == "full" else load_trained(CHECKPOINTS)
    )
    voice = EagerVoice(models, *f0)
    voice.speak("你好。")
    timings = [voice.time(SENTENCES) for _ in range(passes)]
    total = statistics.median(t.total_s for t in timings)
    audio = timings[-1].audio_s
    first = 1000 * statistics.median(t.first_s for t in timings)
    parameters = [*models.sambert.parameters(), *models.generator.parameters()]
    size = sum(p.numel() * p.element_size() for p in parameters)
    return Figures(total, total / audio, first, audio, peak_rss_mb(), size)


def child(side: str, kind: str, voice: Path, passes: int, store: Path | None = None) -> Figures:
    """Run one side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.speed", "--child", side, "--kind", kind]
    command += ["--voice", str(voice), "--passes", str(passes)]
    command += [] if store is None else ["--store", str(store)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def medians(runs: list[Figures]) -> dict[str, float]:
    """Median of every figure."""
    return {k: statistics.median(asdict(r)[k] for r in runs) for k in asdict(runs[0])}


def compare(kind: str, voice: Path, runs: int, passes: int) -> dict[str, dict[str, float]]:
    """Both sides in turn; ratios are eager / engines, pair by pair."""
    pairs = []
    for i in range(runs):
        print(f"{kind}: run {i + 1} of {runs} ...", file=sys.stderr, flush=True)
        pairs.append((child("engines", kind, voice, passes), child("eager", kind, voice, passes)))
    engines, eager = [list(side) for side in zip(*pairs, strict=True)]
    ratios = {
        k: statistics.median(asdict(b)[k] / asdict(a)[k] for a, b in pairs)
        for k in ("total_s", "rtf", "first_ms", "rss_mb", "model_bytes")
    }
    return {"engines": medians(engines), "eager": medians(eager), "ratio": ratios}


def missing() -> Path | None:
    """What of the built-in voice is not there, if anything: its pack, or its PyTorch models."""
    needed = (BUILT_IN / "voice.toml", CHECKPOINTS / "am", CHECKPOINTS / "voc")
    return next((path.relative_to(ROOT) for path in needed if not path.exists()), None)


def full_voice(folder: Path) -> Path:
    """A voice of KAN-TTS's sizes in `folder`, made by another process, so that PyTorch goes."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as maker:
        return maker.submit(write_full, folder).result()


def write_full(folder: Path) -> Path:
    """Write that voice."""
    from benchmarks import random_voice

    return random_voice.write(random_voice.full_size(), folder, "full")


def keep(path: Path | None, rows: Sequence[Any]) -> None:
    """Write the rows of a table, dataclasses, as JSON with the machine they were measured on."""
    if path is not None:
        figures = {"machine": machine(), "rows": [asdict(row) for row in rows]}
        path.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def machine() -> dict[str, str | int | None]:
    """Where and when this was measured, and with what."""
    described = Path("/proc/cpuinfo").read_text() if sys.platform == "linux" else ""
    names = [line.split(":")[1].strip() for line in described.splitlines() if "model name" in line]
    return {
        "processor": names[0] if names else platform.machine(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("onnxruntime", "torch", "numpy")},
        "date": datetime.now(timezone.utc).date().isoformat(),
    }


def table(results: dict[str, dict[str, dict[str, float]]]) -> str:
    """The results for people, as Markdown."""
    lines = [
        "| voice | side | total s | RTF | first audio ms (p50) | peak RSS MB | model MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, sides in results.items():
        for side in ("eager", "engines"):
            f = sides[side]
            lines.append(
                f"| {kind} | {side} | {f['total_s']:.2f} | {f['rtf']:.3f} | {f['first_ms']:.0f} "
                f"| {f['rss_mb']:.0f} | {f['model_bytes'] / 1e6:.1f} |"
            )
        r = sides["ratio"]
        lines.append(
            f"| {kind} | **eager / engines** | **{r['total_s']:.1f}x** | **{r['rtf']:.1f}x** "
            f"| **{r['first_ms']:.1f}x** | **{r['rss_mb']:.1f}x** | **{r['model_bytes']:.1f}x** |"
        )
    return "\n".join(lines)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--voices", nargs="+", choices=("small", "full"), default=["small", "full"])
    parser.add_argument("--runs", type=int, default=3, help="pairs of processes (default 3)")
    parser.add_argument("--passes", type=int, default=2, help="passes in each process (default 2)")
    parser.add_argument("--json", type=Path, help="write all figures here as well")
    parser.add_argument("--child", choices=("engines", "eager"), help=argparse.SUPPRESS)
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    parser.add_argument("--voice", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark, or one child of it."""
    args = parse(argv)
    if args.child:
        engines = args.child == "engines"
        figures = (
            run_engines(args.voice, args.passes, args.store)
            if engines
            else run_eager(args.kind, args.passes)
        )
        print(json.dumps(asdict(figures)))
        return 0
    kinds = [kind for kind in args.voices if kind != "small" or not missing()]
    if kinds != args.voices:
        print(LEFT_OUT.format(missing=missing()), file=sys.stderr)
    if not kinds:
        return 1
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            voice = BUILT_IN if kind == "small" else full_voice(Path(folder) / "full")
            results[kind] = compare(kind, voice, args.runs, args.passes)
    facts = machine()
    audio = ", ".join(f"{k}: {r['engines']['audio_s']:.0f} s" for k, r in results.items())
    print(f"{facts['processor']}, {facts['cores']} cores; speech in ten sentences: {audio}\n")
    print(table(results))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({"machine": facts, "voices": results}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
