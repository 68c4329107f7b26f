"""Lines for journald, and the last words of a daemon whose stderr it reads."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

from daemon.journal import Formatter, is_reading, marked


def record(level: int, text: str, error: Exception | None = None) -> logging.LogRecord:
    info = (type(error), error, None) if error else None
    return logging.LogRecord("daemon.x", level, __file__, 1, text, None, info)


def test_every_line_carries_the_priority() -> None:
    assert Formatter().format(record(logging.WARNING, "one\ntwo")) == "<4>daemon.x: one\n<4>two"
    assert Formatter().format(record(logging.DEBUG, "one")) == "<7>daemon.x: one"
    crash = Formatter().format(record(logging.ERROR, "failed", ValueError("why")))
    assert crash == "<3>daemon.x: failed\n<3>ValueError: why"
    assert marked("", 3) == ""


def test_a_journal_elsewhere_does_not_count(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        facts = os.fstat(stream.fileno())
        where = {"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"}
        assert is_reading(where, stream.fileno())
        assert not is_reading({}, stream.fileno())
        assert not is_reading({"JOURNAL_STREAM": "1:2"}, stream.fileno())
        number = stream.fileno()
    assert not is_reading(where, number), "it is closed"


def test_bad_settings_are_an_error_in_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        facts = os.fstat(stream.fileno())
        where = f"{facts.st_dev}:{facts.st_ino}"
        command = [sys.executable, "-m", "daemon", "--endpoint", "tcp://0.0.0.0"]
        done = subprocess.run(command, stderr=stream, env={**os.environ, "JOURNAL_STREAM": where})
    assert done.returncode == 78
    assert (tmp_path / "stream").read_text("utf-8").startswith("<3>sambertd: endpoint: ")
