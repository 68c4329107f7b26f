"""The decoder's step, where an autoregressive voice spends its life: graph against PyTorch eager.

    python -m benchmarks.step [--kantts DIR] [--json FILE] [--rounds N] [--seconds S]

A voice of random weights with the sizes of KAN-TTS's public 16 kHz models. Eager decodes an
utterance of S seconds the way KAN-TTS does, keys and values growing, every step over all of them
under masks: in our PyTorch model, and, given a clone of KAN-TTS, in its own. The graph runs on one
thread with 1, 4 and 8 slots. Rounds take turns, ratios are medians of rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import torch

from benchmarks.random_voice import full_size
from benchmarks.speed import machine
from engines.ort_session import OrtSession
from engines.quiet_ort import ort
from engines.session import Array
from trt_build.export.decoder_graph import DecoderSizes, decoder_sizes, decoder_step
from trt_build.export.sambert import Sambert

BATCHES = (1, 4, 8)
BAND = 12  # steps: a pause of half a second
STEPS_PER_SECOND = 80 / 3
WARM_UP = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One batch size. step_us: of the whole batch; ratios: an eager step to one slot's share."""

    batch: int
    step_us: float
    eager_ratio: float
    kantts_ratio: float
    throughput: float


@dataclass(frozen=True, slots=True)
class Result:
    """Nodes in the file and after ONNX Runtime's fusions, and times; 0 of what was not run."""

    nodes: int
    fused_nodes: int
    eager_us: float
    kantts_us: float
    rows: list[Row]


Decode = Callable[[torch.Tensor], object]


def our_decoder(model: Sambert) -> Decode:
    """Our PyTorch decoder over a memory (1, S, d_mem)."""
    stack, mels = model.mel_decoder.mel_dec, decoder_sizes(model).mels
    return lambda memory: stack.infer(memory, BAND, mels)


def kantts_decoder(clone: Path, model: Sambert) -> Decode:
    """KAN-TTS's own decoder, without the rest of its package and what that needs."""
    package = ModuleType("kantts.models")
    package.__path__ = [str(clone / "kantts" / "models")]
    sys.path.insert(0, str(clone))
    sys.modules[package.__name__] = package
    try:
        theirs = import_module("kantts.models.sambert.kantts_sambert")
    except ImportError as error:
        raise SystemExit(f"{clone} is no clone of KAN-TTS: {error}") from error
    unused = dict.fromkeys(("decoder_attention_dropout", "decoder_relu_dropout"), 0.1)
    decoder = theirs.MelPNCADecoder({**model.params, **unused})
    decoder.load_state_dict(model.mel_decoder.state_dict())
    decoder.eval()
    return lambda memory: decoder(memory, BAND, BAND, return_attns=True)


def eager_us(decode: Decode, sizes: DecoderSizes, steps: int) -> float:
    """Microseconds per step of one utterance."""
    memory = torch.randn(1, steps, sizes.memory)
    with torch.no_grad():
        start = time.perf_counter()
        decode(memory)
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


def measure(rounds: int, seconds: float, threads: int, clone: Path | None) -> Result:
    """All sides in turn."""
    torch.set_num_threads(threads)
    model = full_size().sambert
    sizes, steps = decoder_sizes(model), int(seconds * STEPS_PER_SECOND)
    decoders = [our_decoder(model), *([kantts_decoder(clone, model)] if clone else [])]
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = Path(folder) / "decoder_step.onnx"
        graph = decoder_step(model)
        path.write_bytes(graph.SerializeToString())
        session = OrtSession(path, 1)
        eager: list[list[float]] = []
        graphs: list[list[float]] = []
        for turn in range(rounds + 1):
            told = f"round {turn} of {rounds}" if turn else "warming up"
            print(f"{told} ...", file=sys.stderr, flush=True)
            eager.append([eager_us(decode, sizes, steps) for decode in decoders])
            graphs.append([graph_us(session, sizes, batch, steps) for batch in BATCHES])
        fused = fused_nodes(path)
    rows = [row(n, eager[1:], graphs[1:]) for n in range(len(BATCHES))]
    ours, *theirs = (statistics.median(times) for times in zip(*eager[1:], strict=True))
    return Result(len(graph.graph.node), fused, ours, theirs[0] if theirs else 0.0, rows)


def row(number: int, eager: list[list[float]], graphs: list[list[float]]) -> Row:
    """Medians over rounds of one batch size."""
    batch = BATCHES[number]
    times = [g[number] for g in graphs]
    ratios = [
        statistics.median(e[side] * batch / t for e, t in zip(eager, times, strict=True))
        for side in range(len(eager[0]))
    ]
    gain = statistics.median(g[0] * batch / g[number] for g in graphs)
    return Row(batch, statistics.median(times), ratios[0], (*ratios, 0.0)[1], gain)


def table(result: Result) -> str:
    """The result for people, as Markdown."""
    theirs = f", KAN-TTS's own {result.kantts_us:.0f} us" if result.kantts_us else ""
    lines = [
        f"{result.nodes} nodes in the graph, {result.fused_nodes} after ONNX Runtime's fusions;",
        f"PyTorch eager: our model {result.eager_us:.0f} us a step{theirs}.",
        "",
        "| slots | us per step | us per slot | eager / slot | KAN-TTS / slot | throughput |",
        "|---|---|---|---|---|---|",
    ]
    for r in result.rows:
        kantts = f"**{r.kantts_ratio:.1f}x**" if r.kantts_ratio else ""
        lines.append(
            f"| {r.batch} | {r.step_us:.0f} | {r.step_us / r.batch:.0f} | **{r.eager_ratio:.1f}x** "
            f"| {kantts} | {r.throughput:.1f}x |"
        )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=7, help="rounds (default 7)")
    parser.add_argument("--seconds", type=float, default=8.0, help="of speech (default 8)")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (default 2)")
    parser.add_argument("--kantts", type=Path, metavar="DIR", help="a clone of KAN-TTS")
    parser.add_argument("--json", type=Path, help="write all figures here as well")
    args = parser.parse_args(argv)
    result = measure(args.rounds, args.seconds, args.threads, args.kantts)
    print(table(result))
    if args.json:
        figures = {"machine": machine(), **asdict(result)}
        args.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
