"""Log lines with the priorities of journald, where that is what reads them: `journalctl -p err`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

TERMINAL = "%(asctime)s %(levelname)s %(name)s: %(message)s"
JOURNAL = "%(name)s: %(message)s"  # it notes the time and the level by itself
ERROR = 3
PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: ERROR, logging.WARNING: 4, logging.INFO: 6}
DEBUG = 7


def is_reading(environ: Mapping[str, str], fd: int = 2) -> bool:
    """Whether this stream goes to the journal, see systemd.exec(5) on JOURNAL_STREAM."""
    try:
        facts = os.fstat(fd)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{facts.st_dev}:{facts.st_ino}"


def marked(text: str, priority: int) -> str:
    """The text with a priority in front of each line: without, the rest would be `info`."""
    return "\n".join(f"<{priority}>{line}" for line in text.splitlines())


class Formatter(logging.Formatter):
    """One record, its traceback included, at its priority."""

    def __init__(self) -> None:
        super().__init__(JOURNAL)

    def format(self, record: logging.LogRecord) -> str:
        return marked(super().format(record), PRIORITIES.get(record.levelno, DEBUG))


def start_logging(level: str, environ: Mapping[str, str]) -> None:
    """Log to stderr, for people or for the journal."""
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter() if is_reading(environ) else logging.Formatter(TERMINAL))
    logging.basicConfig(level=level.upper(), handlers=[handler])
