"""Which engine won for each graph of a voice on this box, how fast and how good it is, and why the
others lost."""

from __future__ import annotations

import argparse
from pathlib import Path

from engines.pack import VoicePack
from engines.store import Store
from trt_build.commands.options import add_store
from trt_build.engine_report import as_json, report
from trt_build.errors import BuildError

NAME = "report"
HELP = "what won on this box and why the others lost"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `report`."""
    parser.add_argument("voice", type=Path, help="a voice pack, such as voices/yue")
    add_store(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="everything, for programs")
    form.add_argument("--markdown", action="store_true", help="the tables in Markdown")


def run(args: argparse.Namespace) -> int:
    """Print it."""
    manifest = Store(args.store).read(VoicePack(args.voice))
    if manifest is None:
        raise BuildError(
            "not_built",
            f"{args.store} has no engines of {args.voice}; run python -m trt_build build "
            f"{args.voice}",
        )
    print(as_json(manifest) if args.json else report(manifest, as_markdown=args.markdown))
    return 0
