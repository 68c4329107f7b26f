"""`python -m trt_build COMMAND`: from a trained checkpoint to a voice that is ready to speak.

A command is a module with NAME, HELP, add_arguments(parser) and run(args).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from engines.errors import EngineError
from trt_build.errors import BuildError
from trt_build.export.errors import ExportError

COMMANDS = (
    "trt_build.importing.command",
    "trt_build.commands.graphs",
    "trt_build.commands.check",
    "trt_build.commands.doctor",
    "trt_build.commands.calibrate",
    "trt_build.commands.search",
    "trt_build.commands.build",
    "trt_build.commands.verify",
    "trt_build.commands.list",
    "trt_build.commands.report",
    "trt_build.commands.clean",
)

OF_EXPORT = ("torch", "yaml", "tomli_w")  # packages that reading checkpoints takes


class Command(Protocol):
    """What a command's module holds."""

    NAME: str
    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Its options."""

    def run(self, args: argparse.Namespace) -> int:
        """The exit status; ExportError, BuildError, EngineError are for people."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    0 when it went well, 1 when the cure is on stderr, 2 for bad arguments, 130 when interrupted.
    """
    try:
        return _run(argv)
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as error:
        if not error.name or error.name.partition(".")[0] in ("engines", "trt_build"):
            raise
        extra = "export" if error.name.partition(".")[0] in OF_EXPORT else "build"
        cure = f"in a checkout of sambertd run `pip install ./client '.[{extra},cpu]'`"
        print(f"{error.name} is not installed; {cure} [not_installed]", file=sys.stderr)
        return 1


def _run(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        "python -m trt_build", description=(__doc__ or "").partition("\n")[0]
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        command = cast(Command, import_module(name))
        sub = subparsers.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    args = parser.parse_args(argv)
    try:
        status: int = args.run(args)
    except (ExportError, BuildError, EngineError) as error:
        print(f"{args.command}: {error} [{error.code}]", file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
