"""The parser of a command line of `sambertctl`: what its help and its errors look like."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any, NoReturn

from .exits import EXIT_CODES, USAGE, WRONG, tell
from .terminal import fail


class Help(argparse.RawDescriptionHelpFormatter):
    """Leaves room for the longest command, which argparse counts without its indent."""

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment


class Parser(argparse.ArgumentParser):
    """Its help, and that of the commands below it, ends with the exit codes.

    as_json: a wrong command line is told for programs.
    """

    def __init__(self, *, epilog: str = "", as_json: bool = False, **more: Any) -> None:
        more.setdefault("formatter_class", Help)
        if words := more.get("description"):
            more["description"] = f"{words[0].upper()}{words[1:].rstrip('.')}."
        super().__init__(epilog=f"{epilog}\n\n{EXIT_CODES}".lstrip(), **more)
        self._as_json = as_json

    def add_subparsers(self, **more: Any) -> Any:
        more.setdefault("parser_class", partial(type(self), as_json=self._as_json))
        return super().add_subparsers(**more)

    def error(self, message: str) -> NoReturn:
        if self._as_json:
            tell(USAGE, message)
        else:
            fail(f"{message}; see `{self.prog} --help`")
        self.exit(WRONG)
