"""Phrases said before, over real sockets and with a real voice of random weights."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sambertd_client import Client, cli

from engines.pack import VoicePack
from engines.store import Store
from tests.daemon import slow_build
from tests.daemon.keeping import OTHER, TEXT, Start, kept, say

KB = 1024


def until_on_disk(endpoint: str, count: int) -> None:
    """They are written behind the speaker's back."""
    deadline = time.monotonic() + 20
    while kept(endpoint).on_disk < count:
        assert time.monotonic() < deadline, kept(endpoint)
        time.sleep(0.02)


def test_what_was_said_before_is_the_same(start_keeping: Start, endpoint: str) -> None:
    start_keeping()
    fresh, cached = say(endpoint, cache="ignore")
    assert (cached, kept(endpoint).in_memory) == (0.0, 0)
    assert say(endpoint) == (fresh, 0.0)
    assert say(endpoint) == (fresh, 1.0)
    told = kept(endpoint)
    assert (told.from_memory, told.missed, told.in_memory) == (1, 1, 1)
    assert told.memory_bytes > 2 * len(fresh)
    part, cached = say(endpoint, TEXT + OTHER)
    assert part.startswith(fresh)
    assert 0 < cached < 1
    assert say(endpoint, TEXT, speed=1.5)[1] == 0.0
    assert say(endpoint, TEXT, volume=0.5)[1] == 0.0


def test_each_way_to_use_it(start_keeping: Start, endpoint: str) -> None:
    start_keeping()
    assert say(endpoint, cache="recall")[1] == 0.0
    assert kept(endpoint).in_memory == 0, "nothing new is kept"
    assert say(endpoint, cache="refresh")[1] == 0.0
    assert say(endpoint, cache="recall")[1] == 1.0
    assert say(endpoint, cache="refresh")[1] == 0.0, "made anew"
    assert kept(endpoint).in_memory == 1
    assert say(endpoint, cache="ignore")[1] == 0.0


def test_it_outlives_the_daemon_on_disk(start_keeping: Start, endpoint: str) -> None:
    start_keeping()
    fresh, _ = say(endpoint)
    until_on_disk(endpoint, 1)
    start_keeping()
    assert say(endpoint) == (fresh, 1.0)
    assert kept(endpoint).from_disk == 1
    start_keeping(disk_mb=0)
    assert say(endpoint) == (fresh, 0.0)


def test_a_file_that_was_damaged_is_dropped_and_spoken_anew(
    start_keeping: Start, endpoint: str, folder: Path
) -> None:
    start_keeping()
    fresh, _ = say(endpoint)
    until_on_disk(endpoint, 1)
    (file,) = (folder / "phrases").glob("*.phrase")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    start_keeping()
    assert say(endpoint) == (fresh, 0.0)
    assert kept(endpoint).dropped == 1
    assert say(endpoint) == (fresh, 1.0)


def test_memory_and_disk_are_bounded_and_the_longest_unused_goes(
    start_keeping: Start, endpoint: str, folder: Path
) -> None:
    start_keeping(memory_mb=1, disk_mb=1)
    texts = [f"第{number}号请到窗口办理业务，谢谢您的耐心等待。" for number in range(12)]
    for text in texts:
        say(endpoint, text)
        say(endpoint, texts[0])  # in use all the time
    told = kept(endpoint)
    assert 0 < told.memory_bytes <= KB * KB
    assert told.in_memory < len(texts)
    deadline = time.monotonic() + 20
    while len(list((folder / "phrases").glob("*.phrase"))) != kept(endpoint).on_disk:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert 0 < kept(endpoint).disk_bytes <= KB * KB
    assert say(endpoint, texts[0])[1] == 1.0
    assert say(endpoint, texts[1])[1] == 0.0


def test_other_engines_never_say_what_was_kept_of_these(
    start_keeping: Start, endpoint: str, folder: Path, tiny_voices: Path
) -> None:
    start_keeping()
    say(endpoint)
    assert say(endpoint)[1] == 1.0
    slow_build.good(VoicePack(tiny_voices / "one"), Store(folder / "engines"))
    deadline = time.monotonic() + 30
    with Client(endpoint) as client:
        while not all(graph.built for graph in client.engines().voices[0].graphs):
            assert time.monotonic() < deadline, "the engines were not taken up"
            time.sleep(0.02)
    assert say(endpoint)[1] == 0.0
    assert say(endpoint)[1] == 1.0


def test_what_is_known_waits_for_nobody(start_keeping: Start, endpoint: str) -> None:
    start_keeping(in_work=1)
    fresh, _ = say(endpoint)
    long = OTHER * 100
    with Client(endpoint, timeout=30) as busy:
        speech = busy.say(long, cache="ignore", credit=0)  # it has the only place, and keeps it
        while not busy.status().in_work:
            time.sleep(0.01)
        waiting = busy.say(OTHER, cache="ignore")
        assert waiting.position == 1
        with Client(endpoint, timeout=30) as client:
            known = client.say(TEXT)
            assert (known.position, known.start_s) == (0, 0.0)
            assert known.read() == fresh
        assert busy.status().waiting == 1, "the place is still taken"
        speech.cancel()


def test_what_is_known_can_be_held_and_cancelled(start_keeping: Start, endpoint: str) -> None:
    start_keeping()
    fresh, _ = say(endpoint)
    with Client(endpoint, timeout=30) as client:
        speech = client.say(TEXT, credit=1)
        head = next(iter(speech))
        assert client.pause(speech.id).ids == [speech.id]
        assert client.resume(speech.id).ids == [speech.id]
        assert head + speech.read() == fresh
        speech = client.say(TEXT, credit=0)
        assert client.cancel(speech.id).ids == [speech.id]
        assert speech.wait().why == "cancelled"
        speech = client.say(TEXT, rate=8000)
        pcm = speech.read()
        assert speech.done is not None
        assert (speech.done.cached, abs(2 * len(pcm) - len(fresh)) < 20) == (1.0, True)


def test_marks_come_with_what_is_known(start_keeping: Start, endpoint: str) -> None:
    start_keeping()
    told = []
    for _ in range(2):
        with Client(endpoint, timeout=30) as client:
            speech = client.say(TEXT, marks=["word"])
            speech.read()
            assert speech.done is not None
            told.append((speech.marks, speech.done.cached))
    assert told[0][0]
    assert told[1] == (told[0][0], 1.0)


def test_without_a_cache_all_is_made(
    start_keeping: Start, endpoint: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start_keeping(enabled=False)
    assert say(endpoint)[1] == say(endpoint)[1] == 0.0
    assert not (folder / "phrases").exists()
    with Client(endpoint) as client:
        assert client.stats().cache is None
    assert cli.main(["status", "--endpoint", endpoint]) == 0
    assert "phrases: none are kept" in capsys.readouterr().out


def test_a_folder_that_cannot_be_used_costs_a_warning(
    start_keeping: Start, endpoint: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "phrases").write_text("a file where a folder should be")
    start_keeping()
    fresh, _ = say(endpoint)
    assert say(endpoint) == (fresh, 1.0), "from memory"
    assert kept(endpoint).on_disk == 0
    assert [r for r in caplog.records if "phrases cannot be kept" in r.message]


@pytest.fixture
def full_disk(folder: Path) -> Iterator[Path]:
    place = folder / "small"
    place.mkdir()
    size = ["-t", "tmpfs", "-o", "size=16k", "none", str(place)]
    if os.geteuid() or subprocess.run(["mount", *size], capture_output=True).returncode:
        pytest.skip("A FULL DISK WAS NOT TRIED: this needs root and may mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_costs_a_warning(
    start_keeping: Start, endpoint: str, full_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    start_keeping(folder=full_disk / "phrases")
    fresh, _ = say(endpoint)
    assert say(endpoint) == (fresh, 1.0), "from memory"
    deadline = time.monotonic() + 20
    while not [r for r in caplog.records if "phrases cannot be kept" in r.message]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert "No space left" in caplog.text
    assert say(endpoint, OTHER)[0]
    assert not list((full_disk / "phrases").iterdir()), "nothing half is left"


def test_sambertctl_tells_of_it(
    start_keeping: Start, endpoint: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start_keeping()
    out = ["--out", str(folder / "speech.wav"), "--endpoint", endpoint]
    for words in ("", "100% of it was said before"):
        assert cli.main(["say", TEXT, *out]) == 0
        assert words in (told := capsys.readouterr().out)
    assert cli.main(["say", TEXT, "--cache", "refresh", *out]) == 0
    assert "said before" not in capsys.readouterr().out, told
    for command in ("status", "stats"):
        assert cli.main([command, "--endpoint", endpoint]) == 0
        assert "phrases: 1 in memory" in capsys.readouterr().out
