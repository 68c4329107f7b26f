"""The parser of a command line of `sambertctl`: what its help and its errors look like."""

from __future__ import annotations

import argparse
import re
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

    as_json: a wrong command line is told for programs. hint: what helps where a text is
    taken for an option.
    """

    def __init__(
        self, *, epilog: str = "", as_json: bool = False, hint: str = "", **more: Any
    ) -> None:
        more.setdefault("formatter_class", Help)
        if words := more.get("description"):
            more["description"] = f"{words[0].upper()}{words[1:].rstrip('.')}."
        super().__init__(epilog=f"{epilog}\n\n{EXIT_CODES}".lstrip(), **more)
        self._as_json, self._hint = as_json, f"; {hint}" if hint else ""

    def add_subparsers(self, **more: Any) -> Any:
        more.setdefault("parser_class", partial(type(self), as_json=self._as_json))
        return super().add_subparsers(**more)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """What nobody knows is told by the command it was written to, which has the help."""
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            is_text = any(re.match("-[^-]", word) for word in unknown)
            hint = self._hint if is_text else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return options, unknown

    def error(self, message: str) -> NoReturn:
        if self._as_json:
            tell(USAGE, message)
        else:
            fail(f"{message}; see `{self.prog} --help`")
        self.exit(WRONG)
