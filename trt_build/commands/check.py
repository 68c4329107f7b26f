"""Parse and build every graph of a voice with TensorRT-RTX: no GPU is needed, nothing is run.

What it shows: the graphs keep the rules of trt_build/rules.py, TensorRT's parser takes them, their
types agree, and they build for the shapes the engines use. Speed and sound it cannot show.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import onnx

from engines.pack import VoicePack
from trt_build import rtx
from trt_build.builder import Plan, build
from trt_build.errors import BuildError
from trt_build.graph_file import read_graphs
from trt_build.profiles import Sizes, profile, voice_dimensions
from trt_build.rules import faults

NAME = "check"
HELP = "whether TensorRT takes the graphs of a voice; needs no GPU"
COLUMNS = "{:14} {:>7} {:>8} {:>12}  {}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `check`."""
    parser.add_argument("voice", type=Path, nargs="+", help="a voice pack, such as voices/yue")
    parser.add_argument(
        "--fetch",
        action="store_true",
        help=f"download TensorRT-RTX from PyPI if it is not there ({rtx.DOWNLOAD_MB} MB, NVIDIA's "
        "licence)",
    )
    parser.add_argument(
        "--library",
        type=Path,
        dest="home",
        default=rtx.default_folder(),
        metavar="DIR",
        help="where TensorRT-RTX is kept (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Check the voices; 1 if any graph is at fault."""
    if args.fetch:
        rtx.fetch(args.home)
    trt = rtx.load(args.home)
    return int(sum(_check(trt, VoicePack(folder)) for folder in args.voice) > 0)


def _check(trt: Any, pack: VoicePack) -> int:
    """Print a voice's table; the number of graphs at fault."""
    dimensions, bad = voice_dimensions(pack.file), 0
    print(f"{pack.folder} with TensorRT-RTX {trt.__version__}")
    print(COLUMNS.format("graph", "layers", "build s", "plan bytes", "result"))
    for name, model in read_graphs(pack).items():
        line, fine = _line(trt, name, model, dimensions[name])
        print(line, flush=True)
        bad += not fine
    return bad


def _line(
    trt: Any, name: str, model: onnx.ModelProto, dimensions: dict[str, Sizes]
) -> tuple[str, bool]:
    """One graph's line, and whether all is well with it."""
    try:
        plan = _build(trt, model, dimensions)
    except BuildError as error:
        return COLUMNS.format(name, "-", "-", "-", f"{error} [{error.code}]"), False
    cells = (f"{plan.layers:,}", f"{plan.seconds:.1f}", f"{len(plan.data):,}")
    return COLUMNS.format(name, *cells, "OK"), True


def _build(trt: Any, model: onnx.ModelProto, dimensions: dict[str, Sizes]) -> Plan:
    broken = faults(model)
    if broken:
        raise BuildError(
            "rule_broken", f"export the voice again with this sambertd: {'; '.join(broken)}"
        )
    return build(trt, model, [profile(model, dimensions)])
