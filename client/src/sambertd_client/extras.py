"""Commands of other packages, by the entry-point group `sambertctl.commands`.

Each names a function that takes the arguments after the command's name and returns the exit code.
Where its module has a function `parser` too, which returns its argparse parser, completion knows
the command's options.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from .exits import WrongError

GROUP = "sambertctl.commands"
OF_SAMBERTD = {  # commands that come with the daemon's own package
    "doctor": "what is wrong on this box: plays a tone and a sentence, and says it in words",
    "text": "how a text is read; needs no daemon",
}

INSTALL = "in a checkout of sambertd run `pip install ./client '.[cpu]'`"


def run(arguments: Sequence[str]) -> int | None:
    """The exit code of a command of another package; None: no package has it.

    Raises WrongError where the package that has it is not installed.
    """
    for point in _entry_points():
        if point.name == arguments[0]:
            return int(point.load()(list(arguments[1:])))
    if arguments[0] in OF_SAMBERTD:
        name = arguments[0]
        raise WrongError(f"{name} comes with the daemon's package; {INSTALL}")
    return None


def names() -> list[str]:
    return sorted({point.name for point in _entry_points()})


def parsers() -> dict[str, argparse.ArgumentParser | None]:
    """The parser of each command; None where its package tells none."""
    return {point.name: _parser_of(point) for point in sorted(_entry_points(), key=_name)}


def _name(point: metadata.EntryPoint) -> str:
    return point.name


def _parser_of(point: metadata.EntryPoint) -> argparse.ArgumentParser | None:
    try:
        module = sys.modules[point.load().__module__]
    except ImportError:  # a broken package keeps nobody from completion
        return None
    make = getattr(module, "parser", None)
    made = make() if callable(make) else None
    return made if isinstance(made, argparse.ArgumentParser) else None


def _entry_points() -> Sequence[metadata.EntryPoint]:
    points: Any = metadata.entry_points()
    if hasattr(points, "select"):
        return list(points.select(group=GROUP))
    return list(points.get(GROUP, ()))  # Python 3.9
