"""What a person is shown: tables that fit a terminal, colour, help, errors in a line."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sambertd_client import cli
from sambertd_client.look import lasting
from sambertd_client.table import columns, listed, width

from tests.daemon.live import LiveDaemon


def test_a_chinese_character_takes_two_columns() -> None:
    assert [width(text) for text in ("abc", "你好", "a，b", "e\u0301", "")] == [3, 4, 4, 1, 0]


def test_columns_are_as_wide_as_their_widest() -> None:
    rows = [("name", "MB", "built"), ("你好", "12.5", "now"), ("x", "1", "")]
    assert list(columns(rows, (1,))) == [
        "name    MB  built",
        "你好  12.5  now",
        "x        1",
    ]


def test_a_long_list_goes_on_below_its_first_word() -> None:
    assert list(listed("are:", ("one", "two", "three"), 14)) == ["are: one, two,", "     three"]
    assert list(listed("are:", ("one", "two"), 3)) == ["are: one,", "     two"]
    assert list(listed("are:", (), 80)) == ["are:"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (119, "119 s"),
        (125, "2 min"),
        (7300, "2 h 1 min"),
        (5 * 86400 + 3 * 3600 + 59, "5 d 3 h"),
    ],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


def pieces(terminal: int) -> Iterator[str]:
    """What is written there, until nobody holds its other end."""
    while True:
        try:
            yield os.read(terminal, 65536).decode()
        except OSError:
            return


@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_is_for_terminals_that_want_it(environ: dict[str, str], folder: Path) -> None:
    command = [sys.executable, "-m", "sambertd_client.cli", "status"]
    command += ["--endpoint", f"ipc://{folder}/none.sock"]
    plain = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    ours, theirs = pty.openpty()
    env = {**plain, "TERM": "xterm", **environ}
    with subprocess.Popen(command, env=env, stderr=theirs) as process:
        os.close(theirs)
        told = "".join(pieces(ours))
    os.close(ours)
    assert process.returncode == 3
    assert "no daemon listens" in told
    assert ("\033[31m" in told) == (not environ)


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "speak a text" in told.err
    assert "doctor      what is wrong on this box" in told.err
    assert "completion  print what completes" in told.err


def test_a_wrong_line_is_told_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["cancel", "--priority", "high"])
    (line,) = capsys.readouterr().err.splitlines()
    assert "invalid choice: 'high'" in line
    assert line.endswith("; see `sambertctl cancel --help`")


def test_a_file_that_cannot_be_used_is_named_without_numbers(
    daemon: LiveDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["say", "好", "--endpoint", daemon.endpoint, "--out", "/none/a.wav"]) == 1
    assert capsys.readouterr().err == "sambertctl: /none/a.wav: No such file or directory\n"


def test_several_words_are_one_text(daemon: LiveDaemon, tmp_path: Path) -> None:
    out = tmp_path / "a.raw"
    where = ["--endpoint", daemon.endpoint, "--out", str(out), "--raw"]
    assert cli.main(["say", "你好", "再见", *where]) == 0
    assert out.stat().st_size == 2 * 800 * len("你好 再见")


def test_what_is_piped_in_needs_no_dash(daemon: LiveDaemon) -> None:
    command = [sys.executable, "-m", "sambertd_client.cli", "say", "--out", "-", "--raw"]
    command += ["--endpoint", daemon.endpoint]
    done = subprocess.run(command, input="好好".encode(), capture_output=True)
    assert (done.returncode, len(done.stdout)) == (0, 2 * 800 * 2)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 2
    assert b"there is no TEXT" in done.stderr
