"""`sambertctl`: speak, and look after the daemon, from a shell; extras.py has others' commands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import extras
from .commands import OURS, parser
from .credentials import KEY_FILE, SERVER_KEY
from .ending import ends_by_signals
from .endpoint import client_endpoint
from .errors import SambertdError
from .exits import INTERRUPTED, UNREAD, WRONG, failed, wants_json
from .terminal import flush, let_go


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. SystemExit has that of a signal, or of a wrong argument."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            with ends_by_signals():
                return _run(arguments)
        finally:
            flush()
    except BrokenPipeError:  # as of `sambertctl events | head -1`
        let_go()
        return UNREAD


def _run(arguments: list[str]) -> int:
    if not arguments:
        parser().print_help(sys.stderr)
        return WRONG
    as_json = wants_json(arguments)
    audio_out = False
    try:
        if arguments[0] not in OURS and not arguments[0].startswith("-"):
            extra = extras.run(arguments)
            return _unknown(arguments[0], as_json=as_json) if extra is None else extra
        options = parser(as_json=as_json).parse_args(arguments)
        options.endpoint = options.endpoint or client_endpoint()
        as_json, audio_out = getattr(options, "json", False), getattr(options, "out", None) == "-"
        _set_keys(options)
        return int(options.run(options))
    except BrokenPipeError:
        raise
    except (SambertdError, OSError) as error:
        return failed(error, as_json=as_json, audio_out=audio_out)
    except KeyboardInterrupt:
        return INTERRUPTED


def _unknown(name: str, *, as_json: bool) -> NoReturn:
    """No package has a command of this name: a usage error, with all that there are."""
    known = ", ".join((*OURS, *sorted({*extras.names(), *extras.OF_SAMBERTD})))
    parser(as_json=as_json).error(f"{name!r} is no command; choose of {known}")


def _set_keys(options: argparse.Namespace) -> None:
    """Every client of this command, also one that starts a daemon first, finds them there."""
    for name, variable in (("key_file", KEY_FILE), ("server_key", SERVER_KEY)):
        if getattr(options, name, None):
            os.environ[variable] = getattr(options, name)


if __name__ == "__main__":
    sys.exit(main())
