"""The table of `sambertctl engines`."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import msgspec
import pytest
from sambertd_client import cli
from sambertd_client import protocol as wire
from sambertd_client.engine_table import age, report_lines

from tests.daemon.live import LiveDaemon

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)


def report(**build: object) -> wire.EngineReport:
    vocoder = wire.GraphEngine(
        graph="vocoder",
        backend="tensorrt",
        precision="int8-fp32-scales",
        bytes=4_700_000,
        device_bytes=9_100_000,
        built="2026-02-27T12:00:00Z",
        time_ms=12.345,
        quality={"mcd_db": 0.4},
    )
    memory = wire.GraphEngine(graph="memory", backend="ort-cpu", precision="fp32", bytes=1_000_000)
    refused = wire.RefusedEngine(graph="postnet", code="engine_stale", text="build it again")
    voice = wire.VoiceEngines(
        voice="yue",
        graphs=[memory, vocoder],
        build=msgspec.convert({"state": "current", **build}, wire.EngineBuild),
        refused=[refused],
    )
    return wire.EngineReport(
        id="1", voices=[voice], store="/store", build="background", memory_bytes=256_000_000
    )


def test_every_graph_has_its_line() -> None:
    heading, columns, memory, vocoder, refused, last = report_lines(report(), NOW)
    assert heading == "yue: nothing to build"
    assert columns.split() == [
        "graph",
        "backend",
        "precision",
        "file",
        "on",
        "GPU",
        "ms",
        "per",
        "s",
        "built",
    ]
    assert memory.split(maxsplit=7)[1:] == [
        "ort-cpu",
        "fp32",
        "1.0",
        "MB",
        "-",
        "-",
        "came with the voice",
    ]
    cells = ["tensorrt", "int8-fp32-scales", "4.7", "MB", "9.1", "MB", "12.35"]
    assert vocoder.split()[1:8] == cells
    assert vocoder.endswith("2 d ago")
    assert refused == "  not used: postnet: build it again (engine_stale)"
    assert last == "the daemon holds 256.0 MB; engines are kept in /store"


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            {"state": "running", "text": "vocoder int8", "progress": 0.4},
            "building 40 %: vocoder int8",
        ),
        ({"state": "failed", "text": "onnx is not installed"}, "the build failed: onnx is not"),
        ({"state": "never"}, "no build is wanted"),
        ({"state": "of a newer daemon"}, "of a newer daemon"),
    ],
)
def test_the_build_is_told(build: dict[str, object], words: str) -> None:
    assert f"yue: {words}" in next(report_lines(report(**build), NOW))


@pytest.mark.parametrize(
    ("built", "words"),
    [
        ("2026-03-01T11:59:30Z", "just now"),
        ("2026-03-01T12:00:30Z", "just now"),
        ("2026-03-01T11:55:00+00:00", "5 min ago"),
        ("2026-03-01T13:00:00+03:00", "2 h ago"),
        ("2025-03-01T12:00:00Z", "365 d ago"),
        ("2026-03-01T11:55:00", "2026-03-01T11:55:00"),
        ("long ago", "long ago"),
    ],
)
def test_ages(built: str, words: str) -> None:
    assert age(built, NOW) == words


def test_sambertctl_engines_of_a_voice_that_has_none(
    daemon: LiveDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["engines", "--endpoint", daemon.endpoint]) == 0
    assert "no voice runs on graphs" in capsys.readouterr().out
    assert cli.main(["engines", "--endpoint", daemon.endpoint, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["voices"] == []
    assert facts["memory_bytes"] > 10_000_000
