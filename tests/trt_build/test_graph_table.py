"""What `python -m trt_build graphs` says is what the graphs hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engines.pack import VoicePack
from tests.trt_build.golden_graphs import BUILT_IN, ROOT, case, golden_sambert
from trt_build.__main__ import main
from trt_build.errors import BuildError
from trt_build.graph_file import read_graph
from trt_build.graph_table import graph_row, total
from trt_build.profiles import Sizes, exactly
from trt_build.table import markdown, plain


def layered() -> onnx.ModelProto:
    """Two layers' windows and a state; weights of 6 floats and an index."""
    inputs = [
        helper.make_tensor_value_info("window_0", TensorProto.FLOAT, ["B", 4, "K"]),
        helper.make_tensor_value_info("window_1", TensorProto.FLOAT, ["B", 4, "K"]),
        helper.make_tensor_value_info("state", TensorProto.FLOAT, ["B", 7]),
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "K"]),
    ]
    nodes = [helper.make_node("Identity", ["x"], ["y"], name="same")]
    weights = [
        numpy_helper.from_array(np.zeros((2, 3), np.float32), "w"),
        numpy_helper.from_array(np.zeros(1, np.int64), "index"),
    ]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, "K"])
    return helper.make_model(helper.make_graph(nodes, "small", inputs, [y], weights))


def test_row_of_a_small_graph() -> None:
    model = layered()
    row = graph_row(model, {"B": Sizes(1, 1, 8), "K": exactly(5)})
    assert (row.name, row.nodes, row.parameters) == ("small", 1, 6)
    assert row.size == len(model.SerializeToString())
    assert row.state == 2 * 4 * 5 + 7
    assert row.inputs == "window_0..1 (B, 4, K), state (B, 7), x (1, K)"


def test_total_adds_up() -> None:
    row = graph_row(layered(), {"B": exactly(8), "K": exactly(5)})
    both = total([row, row])
    assert both.cells[1:] == (2, 12, 2 * row.size, 2 * 47, "")


def test_parameters_of_a_graph_are_those_of_the_model() -> None:
    model = golden_sambert("sambert_16k")
    it = case("sambert_16k", "duration_step")
    step = model.variance_adaptor.duration_predictor
    tensors = sum(p.numel() for p in step.parameters())
    biases = sum(p.numel() for name, p in step.lstm.named_parameters() if "bias_ih" in name)
    # The two biases of each LSTM layer are one in the graph.
    assert graph_row(it.model, it.dimensions).parameters == tensors - biases


@pytest.mark.parametrize("option", [[], ["--markdown"]])
def test_graphs_command_on_the_built_in_voice(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ROOT / BUILT_IN
    assert main(["graphs", str(folder), *option]) == 0
    out = capsys.readouterr().out
    pack = VoicePack(folder)
    for name, path in pack.graphs.items():
        (line,) = (text for text in out.splitlines() if text.lstrip("| ").startswith(f"{name} "))
        assert f"{path.stat().st_size:,}" in line
    assert "mel (B, 80, T)" in out
    assert out.startswith("| graph | nodes |" if option else "graph ")


def test_the_documented_table_is_of_the_built_in_voice(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graphs", str(ROOT / BUILT_IN), "--markdown"]) == 0
    table = capsys.readouterr().out
    told = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    assert table in told, "copy the output of `python -m trt_build graphs voices/yue --markdown`"


def test_graphs_command_without_a_voice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graphs", str(tmp_path)]) == 1
    assert capsys.readouterr().err.endswith("it has no voice.toml [voice_not_found]\n")


def test_a_file_that_is_no_graph_is_named(tmp_path: Path) -> None:
    path = tmp_path / "encoder.onnx"
    path.write_text("<html>not found</html>")
    with pytest.raises(BuildError, match=r"encoder\.onnx is no ONNX graph") as error:
        read_graph(path)
    assert error.value.code == "graph_unreadable"


def test_tables() -> None:
    header, rows = ("name", "count", "note"), [("one", 1, "a"), ("thousand", 1000, "")]
    assert plain(header, rows).splitlines() == [
        "name      count  note",
        "one           1  a",
        "thousand  1,000",
    ]
    assert markdown(header, rows).splitlines() == [
        "| name | count | note |",
        "| --- | ---: | --- |",
        "| one | 1 | a |",
        "| thousand | 1,000 |  |",
    ]
