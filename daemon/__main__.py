"""The command `sambertd`."""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Sequence
from functools import partial

from daemon import hugepages, journal
from daemon.config import only_checks, parse
from daemon.config_errors import ConfigError
from daemon.server import Server
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
        print(written(config), end="")
        return 0
    if argv is None:
        hugepages.ask()
        faulthandler.enable()  # the stacks of all threads when systemd ends a daemon that hangs
    journal.start_logging(config.log_level, os.environ)
    return Server(config, reread=partial(parse, arguments, os.environ)).run()


if __name__ == "__main__":
    sys.exit(main())
