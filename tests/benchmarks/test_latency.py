"""What is measured of live daemons, in short, and the page of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from sambertd_client import Client

from benchmarks.latency.__main__ import write
from benchmarks.latency.cancel import of_speaker
from benchmarks.latency.streams import COUNTS, Run, at_once, most
from benchmarks.latency.trips import Loading
from benchmarks.live.probe import spread
from tests.daemon.keeping import Start, endpoint, start_keeping, tiny_voices
from tests.daemon.live import LiveDaemon, daemon, folder, start_daemon
from tests.daemon.sink import missing

__all__ = ["daemon", "endpoint", "folder", "start_daemon", "start_keeping", "tiny_voices"]
MACHINE = {"processor": "abacus", "cores": 10, "date": "2026-01-02"}
WHERE = {"machine": MACHINE, "load": 1.25}


def test_spreads() -> None:
    told = spread([float(value) for value in range(1, 1001)])
    assert (told.count, told.p50, told.p99, told.most) == (1000, 500.0, 990.0, 1000.0)
    assert spread([]).count == 0


def test_streams_are_counted_up_to_the_first_that_waited() -> None:
    runs = [Run(1, 0.0, 9.0), Run(2, 80.0, 9.0), Run(4, 300.0, 9.0), Run(8, 90.0, 9.0)]
    assert [most(runs, buffer) for buffer in (100.0, 500.0, -1.0)] == [2, 8, 0]


def test_streams_of_a_live_daemon(daemon: LiveDaemon) -> None:
    run = at_once(daemon.endpoint, 3)
    assert run.streams == 3
    assert run.faster > 1.0
    assert run.buffer_ms >= 0.0


def test_a_voice_that_loads_again_and_again(start_keeping: Start, endpoint: str) -> None:
    start_keeping()
    with Loading(endpoint) as loading, Client(endpoint, timeout=30) as client:
        while loading.loads < 2:
            assert client.status().voices == ["one"]


@pytest.mark.audio
def test_cancel_is_heard_in_the_sound_server() -> None:
    if missing():
        pytest.skip(missing())
    heard = of_speaker(2)
    assert heard is not None
    assert heard.last_sample.count == 2
    assert 0 < heard.last_sample.p50 < heard.device_ms + 520


def test_parts_are_kept_beside_each_other(tmp_path: Path) -> None:
    kept = tmp_path / "benchmarks" / "results" / "latency.json"
    figures = asdict(spread([1.0, 2.0, 3.0]))
    runs = [asdict(Run(count, 10.0 * count, 20.0)) for count in COUNTS]
    write(tmp_path, kept, "trips", {**WHERE, "ms": {"hello, idle": figures}})
    ways = {"together": runs, "apart": runs}
    write(tmp_path, kept, "streams", {**WHERE, "voice": "yue", "runs": ways})
    write(tmp_path, kept, "trips", {**WHERE, "ms": {"status, idle": figures}})
    assert json.loads(kept.read_text("utf-8")).keys() == {"trips", "streams"}
    page = (tmp_path / "docs" / "LATENCY.md").read_text("utf-8")
    assert "| status, idle | 2.0 | 3.0 | 3.0 | 3 |" in page
    assert "hello, idle" not in page
    assert "abacus, 10 cores, 2026-01-02; load average of other work when it began: 1.2." in page
    assert "buffer of 100 ms, 8 of these streams" in page
