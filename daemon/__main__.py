"""The command `sambertd`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from daemon import hugepages
from daemon.config import ConfigError, parse
from daemon.server import Server

EXIT_CONFIG = 2


def main(argv: Sequence[str] | None = None) -> int:
    try:
        config = parse(sys.argv[1:] if argv is None else argv, os.environ)
    except ConfigError as error:
        print(f"sambertd: {error}", file=sys.stderr)
        return EXIT_CONFIG
    if argv is None:
        hugepages.ask()
    logging.basicConfig(
        level=config.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    return Server(config).run()


if __name__ == "__main__":
    sys.exit(main())
