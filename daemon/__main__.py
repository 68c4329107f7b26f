"""The command `sambertd`."""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Sequence
from functools import partial

from daemon import hugepages, journal, memory
from daemon.command_line import only_checks, parse
from daemon.config import Config
from daemon.config_check import endpoint_faults, lexicon_faults, voice_faults
from daemon.config_errors import ConfigError
from daemon.server import EXIT_ENDPOINT, EXIT_OK, EXIT_VOICE, Server
from daemon.toml_text import written

EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h


def main(argv: Sequence[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else argv
    try:
        config = parse(arguments, os.environ)
    except ConfigError as error:
        words = f"sambertd: {error}"
        in_journal = journal.is_reading(os.environ)
        print(journal.marked(words, journal.ERROR) if in_journal else words, file=sys.stderr)
        return EXIT_CONFIG
    if only_checks(arguments):
        return _show(config)
    if argv is None:
        hugepages.ask()
        memory.keep_big_apart()
        faulthandler.enable()  # the stacks of all threads when systemd ends a daemon that hangs
    journal.start_logging(config.log_level, os.environ)
    return Server(config, reread=partial(parse, arguments, os.environ)).run()


def _show(config: Config) -> int:
    """The settings, and what is wrong with the files they name; the exit code."""
    print(written(config), end="")
    lexicons, (voices, voiceless) = lexicon_faults(config), voice_faults(config)
    folder, deaf = endpoint_faults(config)
    for problem in (*lexicons, *folder, *(f"{error} ({error.code})" for error in voices)):
        print(f"sambertd: {problem}", file=sys.stderr)
    if lexicons:
        return EXIT_CONFIG
    if deaf:
        return EXIT_ENDPOINT
    return EXIT_VOICE if voiceless else EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
