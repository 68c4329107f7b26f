"""Figures for Prometheus: of a real daemon, read by Prometheus' own parser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sambertd_client import Client, cli
from sambertd_client import protocol as wire
from sambertd_client.engine_facts import EngineBuild, GraphEngine, VoiceEngines
from sambertd_client.metrics import Figures, exposition, families

from tests.daemon.live import LiveDaemon
from tests.daemon.scraped import Read

Capture = pytest.CaptureFixture[str]


def figures(client: Client) -> Figures:
    return Figures(client.stats(), client.status(), client.engines())


@pytest.fixture
def client(daemon: LiveDaemon) -> Iterator[Client]:
    with Client(daemon.endpoint) as client:
        yield client


def test_a_daemon_is_told_as_prometheus_reads_it(client: Client, capsys: Capture) -> None:
    client.say("好" * 20, sink="none").wait()
    client.say("碎", sink="none")
    assert cli.main(["stats", "--prometheus", "--endpoint", client.endpoint]) == 0
    read = Read(capsys.readouterr().out)
    assert read("up") == read("ready") == 1
    assert read("requests_total") == 2
    assert read("ended_total", why="end") == 1
    assert read("sink_total", sink="none") == 2
    assert read("speech_seconds_total") >= 1.0
    assert read("memory_bytes") > 1 << 20
    assert read("speaker_available") == 0
    assert read.kinds["sambertd_first_audio_seconds"] == "histogram"
    assert read.kinds["sambertd_requests"] == "counter"
    assert "sambertd_batch_fill" not in read.kinds, "this voice has no decoder"


def test_what_was_not_seen_is_there_as_none(client: Client) -> None:
    """Else the first cancel or error would be the start of a series, and no increase of it."""
    read = Read(exposition(figures(client)))
    assert read("ended_total", why="cancelled") == read("ended_total", why="error") == 0
    assert len(read.all("priority_total")) == 5
    assert len(read.all("sink_total")) == 4
    assert read("stalled", part="engine") == read("stalled", part="speaker") == 0


def test_the_first_audio_is_a_histogram(client: Client) -> None:
    for _ in range(3):
        client.say("好").read()
    told = figures(client)
    read, seen = Read(exposition(told)), told.stats.first_audio_ms
    assert read("first_audio_seconds_count") == sum(seen.counts) == told.stats.ttfa_ms.count == 3
    assert read("first_audio_seconds_sum") == pytest.approx(seen.total / 1000)
    assert read("first_audio_seconds_bucket", le="+Inf") == 3
    assert read("first_audio_seconds_bucket", le="0.005") == seen.counts[0]
    upto = read.all("first_audio_seconds_bucket")
    assert upto == sorted(upto)
    assert len(upto) == len(seen.bounds) + 1
    within = read("first_audio_seconds_bucket", le="0.1")
    assert within == sum(
        n for bound, n in zip(seen.bounds, seen.counts[:-1], strict=True) if bound <= 100
    )


def test_a_stall_and_a_batch_are_told(client: Client) -> None:
    told = figures(client)
    fill = wire.Histogram(bounds=[1.0, 2.0], counts=[5, 2, 0], total=9.0)
    stats = msgspec.structs.replace(told.stats, batch_fill=fill)
    status = msgspec.structs.replace(told.status, stalled="the engine")
    read = Read(exposition(told._replace(stats=stats, status=status)))
    assert (read("stalled", part="engine"), read("stalled", part="speaker")) == (1, 0)
    assert read("batch_fill_bucket", le="1.0") == 5
    assert read("batch_fill_bucket", le="+Inf") == read("batch_fill_count") == 7
    assert read("batch_fill_sum") == 9


def test_a_daemon_that_knows_no_histograms_has_none(client: Client) -> None:
    fields: dict[str, Any] = msgspec.to_builtins(client.stats())
    del fields["first_audio_ms"], fields["batch_fill"]
    told = figures(client)._replace(stats=msgspec.convert(fields, wire.StatsReport))
    assert "histogram" not in {family.kind for family in families(told)}
    assert "sambertd_first_audio_seconds" not in exposition(told)


def test_no_daemon_is_a_figure_too(folder: Path, capsys: Capture) -> None:
    assert cli.main(["stats", "--prometheus", "--endpoint", f"ipc://{folder}/none"]) == 3
    assert capsys.readouterr().out == "# TYPE sambertd_up gauge\nsambertd_up 0\n"


def test_names_of_all_kinds_are_quoted_and_engines_told(client: Client) -> None:
    graphs = [
        GraphEngine(graph="vocoder", backend="ort-cpu", precision="int8"),
        GraphEngine(graph="memory", backend="tensorrt", precision="fp16", lost="it fell off"),
    ]
    odd = 'a"b\\c\n雨'
    voices = [VoiceEngines(voice=odd, graphs=graphs, build=EngineBuild(state="done"))]
    engines = wire.EngineReport(id="1", voices=voices, store="", build="", memory_bytes=0)
    read = Read(exposition(figures(client)._replace(engines=engines)))
    assert read("build", voice=odd, state="done") == 1
    assert read.all("engine") == [1, 0]


def test_samples_alone_are_written_to_a_pipe(
    daemon: LiveDaemon, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    say = ["say", "好好", "--endpoint", daemon.endpoint, "--raw", "--out"]
    assert cli.main([*say, str(tmp_path / "a.raw")]) == 0
    with Client(daemon.endpoint) as client:
        wanted = client.say("好好").read()
    assert (tmp_path / "a.raw").read_bytes() == wanted
    capfdbinary.readouterr()
    assert cli.main([*say, "-"]) == 0
    assert capfdbinary.readouterr().out == wanted
