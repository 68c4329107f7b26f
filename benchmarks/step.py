"""The decoder's step, where an autoregressive voice spends its life: graph against PyTorch eager.

    python -m benchmarks.step [--json FILE] [--rounds N] [--seconds S]

A voice of random weights with the sizes of KAN-TTS's public 16 kHz models. Eager decodes an
utterance of S seconds the way KAN-TTS does, keys and values growing, every step over all of them
under masks. The graph runs on one thread with 1, 4 and 8 slots. Rounds take turns, ratios are
medians of rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch

from benchmarks.random_voice import full_size
from benchmarks.speed import machine
from engines.ort_session import OrtSession
from engines.session import Array
from trt_build.export.decoder_graph import DecoderSizes, decoder_sizes, decoder_step
from trt_build.export.sambert import Sambert

BATCHES = (1, 4, 8)
BAND = 12  # steps: a pause of half a second
STEPS_PER_SECOND = 80 / 3
WARM_UP = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One batch size. step_us: of the whole batch; ratio: eager's step to one slot's share."""

    batch: int
    step_us: float
    ratio: float
    throughput: float


@dataclass(frozen=True, slots=True)
class Result:
    """What is printed: nodes in the file and after ONNX Runtime's own fusions, and the rows."""

    nodes: int
    fused_nodes: int
    eager_us: float
    rows: list[Row]


def eager_us(model: Sambert, steps: int) -> float:
    """Microseconds per step of one utterance."""
    sizes, stack = decoder_sizes(model), model.mel_decoder.mel_dec
    memory = torch.randn(1, steps, sizes.memory)
    with torch.no_grad():
        start = time.perf_counter()
        stack.infer(memory, BAND, sizes.mels)
        return 1e6 * (time.perf_counter() - start) / steps


def graph_us(session: OrtSession, sizes: DecoderSizes, batch: int, steps: int) -> float:
    """Median microseconds per step of `batch` slots."""
    layers, heads, pair = sizes.key_value
    rng = np.random.default_rng(0)
    shapes = {
        "frame": (batch, sizes.mels),
        "entry": (batch, sizes.width),
        **{f"window_{i}": (batch, heads, 2 * BAND + 1, pair) for i in range(layers)},
    }
    feeds: dict[str, Array] = {n: rng.standard_normal(s, np.float32) for n, s in shapes.items()}
    feeds["mask"] = np.zeros((batch, 2, 2 * BAND + 2), np.float32)
    times = []
    for _ in range(WARM_UP + steps):
        start = time.perf_counter()
        session.run(feeds)
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times[WARM_UP:])


def fused_nodes(path: Path) -> int:
    """Nodes that are left when ONNX Runtime has optimised the graph."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(path.with_suffix(".optimised.onnx"))
    ort.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    return len(onnx.load(options.optimized_model_filepath).graph.node)


def measure(rounds: int, seconds: float, threads: int) -> Result:
    """Both sides in turn."""
    torch.set_num_threads(threads)
    model = full_size().sambert
    sizes, steps = decoder_sizes(model), int(seconds * STEPS_PER_SECOND)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = Path(folder) / "decoder_step.onnx"
        graph = decoder_step(model)
        path.write_bytes(graph.SerializeToString())
        session = OrtSession(path, 1)
        eager_us(model, 20)
        eager, graphs = [], []
        for turn in range(rounds):
            print(f"round {turn + 1} of {rounds} ...", file=sys.stderr, flush=True)
            eager.append(eager_us(model, steps))
            graphs.append([graph_us(session, sizes, batch, steps) for batch in BATCHES])
        fused = fused_nodes(path)
    rows = []
    for batch, times in zip(BATCHES, zip(*graphs, strict=True), strict=True):
        ratio = statistics.median(e * batch / t for e, t in zip(eager, times, strict=True))
        gain = statistics.median(g[0] * batch / t for g, t in zip(graphs, times, strict=True))
        rows.append(Row(batch, statistics.median(times), ratio, gain))
    return Result(len(graph.graph.node), fused, statistics.median(eager), rows)


def table(result: Result) -> str:
    """The result for people, as Markdown."""
    lines = [
        f"{result.nodes} nodes in the graph, {result.fused_nodes} after ONNX Runtime's fusions;",
        f"PyTorch eager: {result.eager_us:.0f} us a step.",
        "",
        "| slots | us per step | us per slot | eager / slot | throughput to one slot |",
        "|---|---|---|---|---|",
    ]
    for r in result.rows:
        lines.append(
            f"| {r.batch} | {r.step_us:.0f} | {r.step_us / r.batch:.0f} | **{r.ratio:.1f}x** "
            f"| {r.throughput:.1f}x |"
        )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=7, help="rounds (default 7)")
    parser.add_argument("--seconds", type=float, default=8.0, help="of speech (default 8)")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (default 2)")
    parser.add_argument("--json", type=Path, help="write all figures here as well")
    args = parser.parse_args(argv)
    result = measure(args.rounds, args.seconds, args.threads)
    print(table(result))
    if args.json:
        figures = {"machine": machine(), **asdict(result)}
        args.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
