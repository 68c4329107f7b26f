"""Every graph of every variant in NVIDIA's parser and builder; `make check-trt` fetches them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import onnx
import pytest

from benchmarks import random_voice
from engines.pack import GRAPHS
from tests.trt_build.golden_graphs import CASES, case
from trt_build.__main__ import main
from trt_build.builder import build
from trt_build.profiles import profile

pytestmark = pytest.mark.tensorrt


@pytest.mark.parametrize(("voice", "graph"), CASES)
def test_graph_builds(trt: Any, voice: str, graph: str) -> None:
    it = case(voice, graph)
    plan = build(trt, it.model, [profile(it.model, it.dimensions)])
    assert plan.layers >= len(it.model.graph.node) / 2
    assert len(plan.data) > 1000


def test_check_command(trt: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = random_voice.write(random_voice.tiny(), tmp_path / "tiny", "tiny")
    assert main(["check", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == list(GRAPHS)
    assert all(line.endswith(" OK") for line in lines[2:])


def test_check_command_tells_which_graph_is_at_fault(
    trt: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = random_voice.write(random_voice.tiny(), tmp_path / "tiny", "tiny")
    replace_graph(folder, "memory", Path(folder / "postnet.onnx").read_bytes())
    rounded = onnx.load(str(folder / "duration_step.onnx"))
    rounded.graph.node[0].name = ""
    replace_graph(folder, "duration_step", rounded.SerializeToString())
    assert main(["check", str(folder)]) == 1
    told = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[2:]}
    assert told.pop("memory").endswith("[dimension_unknown]")
    assert told.pop("duration_step").endswith("has no name [rule_broken]")
    assert all(line.endswith(" OK") for line in told.values())


def replace_graph(folder: Path, name: str, data: bytes) -> None:
    old = hashlib.sha256((folder / f"{name}.onnx").read_bytes()).hexdigest()
    (folder / f"{name}.onnx").write_bytes(data)
    voice = folder / "voice.toml"
    voice.write_text(voice.read_text("utf-8").replace(old, hashlib.sha256(data).hexdigest()))
