"""Figures for Prometheus: of a real daemon, read as its text format says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sambertd_client import Client, cli
from sambertd_client import protocol as wire
from sambertd_client.engine_facts import EngineBuild, GraphEngine, VoiceEngines
from sambertd_client.metrics import exposition

from tests.daemon.live import LiveDaemon

Capture = pytest.CaptureFixture[str]
HELP = re.compile(r"# HELP (sambertd_[a-z_]+) \S.*")
TYPE = re.compile(r"# TYPE (sambertd_[a-z_]+) (gauge|counter)")
LABEL = r'[a-z]+="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"(sambertd_[a-z_]+)(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")


def parsed(text: str) -> dict[str, float]:
    """Values by name and labels; every metric has its help and type before it, once."""
    values: dict[str, float] = {}
    family, seen = "", set[str]()
    lines = iter(text.splitlines())
    assert text.endswith("\n")
    for line in lines:
        told = HELP.fullmatch(line)
        if told:
            kind = TYPE.fullmatch(next(lines))
            assert kind, line
            assert kind[1] == told[1]
            assert kind[1] not in seen
            assert kind[1].endswith("_total") == (kind[2] == "counter")
            family = kind[1]
            seen.add(family)
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, line
        assert sample[1] == family
        values[sample[1] + (f"{{{sample[2]}}}" if sample[2] else "")] = float(sample[3])
    return values


def test_a_daemon_is_told_as_prometheus_reads_it(daemon: LiveDaemon, capsys: Capture) -> None:
    with Client(daemon.endpoint) as client:
        client.say("好" * 20, sink="none").wait()
        client.say("碎", sink="none")
    command = ["stats", "--prometheus", "--endpoint", daemon.endpoint]
    assert cli.main(command) == 0
    values = parsed(capsys.readouterr().out)
    assert values["sambertd_up"] == values["sambertd_ready"] == 1
    assert values["sambertd_requests_total"] == 2
    assert values['sambertd_ended_total{why="end"}'] == 1
    assert values['sambertd_sink_total{sink="none"}'] == 2
    assert values["sambertd_speech_seconds_total"] >= 1.0
    assert values["sambertd_memory_bytes"] > 1 << 20
    assert 0 < values['sambertd_first_audio_seconds{quantile="0.5"}'] < 5
    assert values["sambertd_speaker_available"] == 0


def test_no_daemon_is_a_figure_too(folder: Path, capsys: Capture) -> None:
    assert cli.main(["stats", "--prometheus", "--endpoint", f"ipc://{folder}/none"]) == 3
    assert capsys.readouterr().out == "# TYPE sambertd_up gauge\nsambertd_up 0\n"


def test_names_of_all_kinds_are_quoted_and_engines_told(daemon: LiveDaemon) -> None:
    graphs = [
        GraphEngine(graph="vocoder", backend="ort-cpu", precision="int8"),
        GraphEngine(graph="memory", backend="tensorrt", precision="fp16", lost="it fell off"),
    ]
    odd = 'a"b\\c\n雨'
    voices = [VoiceEngines(voice=odd, graphs=graphs, build=EngineBuild(state="done"))]
    with Client(daemon.endpoint) as client:
        engines = wire.EngineReport(id="1", voices=voices, store="", build="", memory_bytes=0)
        values = parsed(exposition(client.stats(), client.status(), engines))
    quoted = '"a\\"b\\\\c\\n雨"'
    assert values[f'sambertd_build{{voice={quoted},state="done"}}'] == 1
    told = [value for name, value in values.items() if name.startswith("sambertd_engine{")]
    assert told == [1, 0]


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
