"""Every graph of every variant in NVIDIA's parser and builder; `make check-trt` fetches them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from benchmarks import random_voice
from engines.pack import GRAPHS
from tests.trt_build.golden_graphs import CASES, case
from trt_build import rtx
from trt_build.__main__ import main
from trt_build.errors import BuildError
from trt_build.plan import build
from trt_build.profiles import Shapes, profile

pytestmark = pytest.mark.tensorrt
REQUIRED = "SAMBERTD_TENSORRT"  # set to 1, a missing TensorRT-RTX is a failure


@pytest.fixture(scope="module")
def trt() -> Any:
    folder = rtx.default_folder()
    if not rtx.is_fetched(folder) and os.environ.get(REQUIRED) != "1":
        pytest.skip(f"NOT CHECKED WITH TENSORRT: not in {folder}; `make check-trt` fetches it")
    return rtx.load(folder)


@pytest.mark.parametrize(("voice", "graph"), CASES)
def test_graph_builds(trt: Any, voice: str, graph: str) -> None:
    it = case(voice, graph)
    plan = build(trt, it.model, profile(it.model, it.dimensions))
    assert plan.layers >= len(it.model.graph.node) / 2
    assert len(plan.data) > 1000


def graph_of(node: onnx.NodeProto, *inputs: onnx.ValueInfoProto) -> onnx.ModelProto:
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "small", inputs, [out])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)


def test_a_graph_the_parser_refuses_is_named_by_its_node(trt: Any) -> None:
    node = helper.make_node("Unique", ["x"], ["out"], name="text/Unique_7")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    with pytest.raises(BuildError, match=r"graph small: .*text/Unique_7 \(Unique\)") as error:
        build(trt, graph_of(node, x), {})
    assert error.value.code == "graph_refused"
    assert "export the voice again" in str(error.value)


def test_types_that_do_not_agree_are_refused(trt: Any) -> None:
    node = helper.make_node("Add", ["x", "y"], ["out"], name="layer/Add_1")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT16, [4])
    with pytest.raises(BuildError, match="layer/Add_1"):
        build(trt, graph_of(node, x, y), {})


def test_sizes_that_do_not_fit_are_named_by_their_node(trt: Any) -> None:
    node = helper.make_node("Add", ["x", "y"], ["out"], name="layer/Add_1")
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [n.upper()]) for n in ("x", "y")]
    shapes = {"x": Shapes((3,), (3,), (3,)), "y": Shapes((4,), (4,), (4,))}
    with pytest.raises(BuildError, match="layer/Add_1") as error:
        build(trt, graph_of(node, *values), shapes)
    assert error.value.code == "build_failed"


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
