"""Speak a voice's calibration texts and record how large the values inside its graphs get.

INT8 has 255 steps; the ranges say how far they must reach. The voice speaks every text in turn on
ONNX Runtime, in each of its emotions and speakers around and around. Interrupted, it goes on where
it stopped when called again. The histograms in the file serve all methods: calling again with
another --method takes a moment.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from engines.pack import VoicePack
from engines.store import Store
from trt_build.calibrate import LEAST_SECONDS, TEXTS, calibrate, read_texts, stored
from trt_build.calibration_file import Calibration, Method
from trt_build.commands.options import add_store, count
from trt_build.errors import BuildError
from trt_build.eta import Eta
from trt_build.range_plot import plot_ranges
from trt_build.table import plain

NAME = "calibrate"
HELP = "record the ranges that INT8 needs"
HEADER = ("graph", "values", "largest", "of", "kept on average", "at least", "of")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `calibrate`."""
    parser.add_argument("voice", type=Path, help="a voice pack, such as voices/yue")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--out", type=Path, metavar="FILE", help="write the ranges here")
    add_store(place)
    parser.add_argument(
        "--method",
        choices=get_args(Method),
        default="entropy",
        help="what of a range is kept: all of it, what loses the least information, or 99.99 %% "
        "of the values (default: %(default)s)",
    )
    parser.add_argument(
        "--texts",
        type=Path,
        metavar="FILE",
        help=f"UTF-8, one sentence a line (default: the voice's {TEXTS})",
    )
    parser.add_argument(
        "--sentences",
        type=count,
        metavar="N",
        help=f"only the first N; {LEAST_SECONDS:.0f} s of speech are wanted at least",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also draw the ranges, as PNG")


def run(args: argparse.Namespace) -> int:
    """Calibrate, and print a summary."""
    pack = VoicePack(args.voice)
    texts = read_texts(args.texts or pack.folder / TEXTS, args.sentences)
    out = args.out or stored(Store(args.store), pack, texts)
    it = calibrate(pack, texts, out, args.method, Eta("texts", len(texts)))
    print(f"{out}: {it.seconds:.0f} s of speech, {it.texts} texts ({it.skipped} not spoken)")
    print(f"ranges by {it.method}; the largest |x|, and how much of it is kept:")
    print(plain(HEADER, [_row(it, graph) for graph in it.graphs]))
    if args.plot:
        _draw(it, args.plot)
    return 0


def _row(it: Calibration, graph: str) -> tuple[str | int, ...]:
    """A graph's widest value, and what share of the ranges the method keeps."""
    whole, ranges = it.ranges(graph, "minmax"), it.ranges(graph)
    kept = {name: ranges[name] / (largest or 1.0) for name, largest in whole.items()}
    widest, least = max(whole, key=whole.__getitem__), min(kept, key=kept.__getitem__)
    mean = sum(kept.values()) / len(kept)
    largest = f"{whole[widest]:.2f}"
    return graph, len(whole), largest, widest, f"{mean:.0%}", f"{kept[least]:.0%}", least


def _draw(it: Calibration, path: Path) -> None:
    try:
        plot_ranges(it, path)
    except ModuleNotFoundError as error:
        cure = "pip install matplotlib"
        print(f"no plot: {error.name} is not installed; run `{cure}`", file=sys.stderr)
    except OSError as error:
        raise BuildError(
            "cannot_write",
            f"cannot write {path}: {error.strerror}; name a place you may write with --plot",
        ) from error
