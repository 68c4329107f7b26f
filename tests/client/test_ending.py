"""A command that is ended by a signal, or whose utterance is cut short: what is told, and left."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sambertd_client import Client, cli

from daemon.config import SpeakerConfig
from tests.daemon.live import LiveDaemon
from tests.daemon.quiet_card import QuietCard
from tests.daemon.tone import FAILS, RATE, SLOW

Capture = pytest.CaptureFixture[str]
SAMBERTCTL = [sys.executable, "-m", "sambertd_client.cli"]
LONG = "好" * 500
# Whoever runs the tests may have signals ignored, as `nohup` and `&` do.
HEEDING = [
    sys.executable,
    "-c",
    "import os, signal, sys\n"
    "for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):\n"
    "    signal.signal(number, signal.SIG_DFL)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])",
]
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def loud(quiet_card: QuietCard, start_daemon: Callable[..., LiveDaemon]) -> LiveDaemon:
    """A daemon with a speaker, in which nothing ends for its age."""
    return start_daemon(SpeakerConfig(), append_s=600.0)


@contextmanager
def saying(
    endpoint: str, *words: str, before: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """`sambertctl say`, whose utterance was accepted."""
    command = [*HEEDING, *before, *SAMBERTCTL, "say", "--endpoint", endpoint, *words]
    with Client(endpoint) as client:
        accepted = sum(client.stats().priorities.values())
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
            try:
                until(lambda: sum(client.stats().priorities.values()) > accepted)
                yield process
            finally:
                process.kill()


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
@pytest.mark.parametrize("way", ["sounding", "queued", "followed", "to a file"])
def test_a_signal_cancels_what_it_says(
    loud: LiveDaemon, tmp_path: Path, number: signal.Signals, way: str
) -> None:
    """And nothing else."""
    words = {"followed": ["--follow", "-"], "to a file": [SLOW * 400, "--out", f"{tmp_path}/a.wav"]}
    with Client(loud.endpoint) as client:
        if way == "queued":
            client.say(LONG, sink="speaker")
        others = client.status()
        with saying(loud.endpoint, *words.get(way, [LONG])) as process:
            process.send_signal(number)
            told = process.communicate(timeout=30)
        assert (process.returncode, *told) == (128 + number, b"", b"")
        until(lambda: client.status().cancelled == others.cancelled + 1)
        status = client.status()
        assert status.in_work + status.waiting == others.in_work + others.waiting
        client.cancel()


def test_where_a_hang_up_is_ignored_it_goes_on(loud: LiveDaemon) -> None:
    """As `nohup` has it."""
    with saying(loud.endpoint, "好" * 20, before=("nohup",)) as process:
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=30)
    assert process.returncode == 0


def cut_short(endpoint: str, *options: str) -> None:
    """A long text to the speaker, cancelled once some of it was heard."""
    codes: list[int] = []
    say = ["say", LONG, "--endpoint", endpoint, *options]
    thread = threading.Thread(target=lambda: codes.append(cli.main(say)))
    with Client(endpoint) as client, client.subscribe("started") as happening:
        thread.start()
        assert happening.next(30) is not None
        time.sleep(0.3)  # some of it is heard
        client.cancel(scope="all")
    thread.join(30)
    assert codes == [5]


def test_of_what_is_cut_short_that_is_told_which_was_heard(
    loud: LiveDaemon, capsys: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cut_short(loud.endpoint, "--json")
    facts = json.loads(capsys.readouterr().out)
    assert 0 < facts["heard_s"] < facts["audio_s"]
    assert facts["heard_s"] == pytest.approx(facts["heard_samples"] / RATE, abs=0.001)
    assert f"{facts['id']}: cancelled after {facts['heard_samples'] / RATE:.2f} s" in caplog.text
    caplog.clear()
    cut_short(loud.endpoint)
    told = capsys.readouterr().out.splitlines()
    (seconds,) = (
        words.partition("cancelled after ")[2] for words in caplog.messages if "led a" in words
    )
    assert told[0] == f"played on quiet: {seconds} of speech by voice tone"
    assert told[-1] == "it was cancelled before its end"


def test_an_error_tells_of_the_utterance_it_ended(
    loud: LiveDaemon, tmp_path: Path, capsys: Capture
) -> None:
    words = ["say", "好" * 20 + SLOW * 20 + FAILS, "--json", "--endpoint", loud.endpoint]
    for way, is_heard in (([], True), (["--out", f"{tmp_path}/a.wav"], False)):
        assert cli.main([*words, *way]) == 1
        error = json.loads(capsys.readouterr().out)["error"]
        assert set(error) == {"code", "text", "id", "audio_s", "heard_samples"}
        assert error["id"]
        assert error["audio_s"] > 0
        assert (error["heard_samples"] is not None) == is_heard
    assert cli.main([*words, "--voice", "nobody"]) == 1
    assert set(json.loads(capsys.readouterr().out)["error"]) == {"code", "text"}


def test_marks_have_standard_output_to_themselves(loud: LiveDaemon, capsys: Capture) -> None:
    words = ["say", "好好。", "--marks", "sentence", "--endpoint", loud.endpoint]
    assert cli.main(words) == 0
    told = capsys.readouterr()
    assert {json.loads(line)["kind"] for line in told.out.splitlines()} == {"sentence"}
    assert "played on quiet: " in told.err
    assert cli.main([*words, "--json"]) == 0
    told = capsys.readouterr()
    *marks, facts = (json.loads(line) for line in told.out.splitlines())
    assert {mark["kind"] for mark in marks} == {"sentence"}
    assert (facts["why"], told.err) == ("end", "")
