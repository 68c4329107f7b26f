"""List the graphs of a voice: inputs, nodes, parameters, bytes, floats of state per stream."""

from __future__ import annotations

import argparse
from pathlib import Path

from engines.pack import VoicePack
from trt_build.graph_file import read_graphs
from trt_build.graph_table import HEADER, graph_row, total
from trt_build.profiles import voice_dimensions
from trt_build.table import markdown, plain

NAME = "graphs"
HELP = "what the graphs of a voice take and weigh"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `graphs`."""
    parser.add_argument("voice", type=Path, help="a voice pack, such as voices/yue")
    parser.add_argument("--markdown", action="store_true", help="as a Markdown table")


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    pack = VoicePack(args.voice)
    dimensions = voice_dimensions(pack.file)
    rows = [graph_row(model, dimensions[name]) for name, model in read_graphs(pack).items()]
    write = markdown if args.markdown else plain
    print(write(HEADER, [row.cells for row in (*rows, total(rows))]))
    return 0
