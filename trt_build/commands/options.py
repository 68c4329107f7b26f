"""Options that several commands have."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from engines.store import default_root


def count(text: str) -> int:
    """The type of an option that takes a number of things, one at least."""
    try:
        found = int(text)
    except ValueError:
        found = 0
    if found < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return found


def add_store(parser: argparse._ActionsContainer) -> None:
    """The option that says where engines lie."""
    parser.add_argument(
        "--store",
        type=Path,
        default=default_root(os.environ),
        metavar="DIR",
        help="where this box's engines lie (default: %(default)s)",
    )
