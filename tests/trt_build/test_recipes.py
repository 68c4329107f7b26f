"""What each rung is made of, and that it loads where it is meant to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import onnx
import pytest
from onnx import TensorProto

from engines.ort_session import OrtSession
from engines.pack import GRAPHS, VoicePack
from engines.session import Session
from engines.store import Backend, Precision
from tests.trt_build import slow_voice
from trt_build.builder import build
from trt_build.calibrate import calibrate
from trt_build.errors import BuildError
from trt_build.graph_file import read_graph, read_graphs
from trt_build.hearing import Hearing
from trt_build.profiles import profile, voice_dimensions
from trt_build.recipes import recipes
from trt_build.rungs import LADDERS
from trt_build.verdict import Verdict

BOTH: tuple[Backend, ...] = ("tensorrt", "ort-cpu")
TEXTS = ["你好，今天天气真好，阳光洒在窗台上，我泡了一杯咖啡，准备开始一天的工作。"] * 4


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> VoicePack:
    return slow_voice.write(tmp_path_factory.mktemp("voices") / "tiny", [])


@pytest.fixture(scope="module")
def ranges(pack: VoicePack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ranges") / "calibration.json"
    calibrate(pack, TEXTS, path)
    return path


def kinds(model: onnx.ModelProto) -> set[int]:
    return {tensor.data_type for tensor in model.graph.initializer}


@pytest.mark.parametrize("backend", get_args(Backend))
def test_every_rung_has_a_recipe(pack: VoicePack, ranges: Path, backend: Backend) -> None:
    known = recipes(pack, backend, (), ranges)
    assert tuple(known) == LADDERS[backend]
    made = {recipe.made_of("memory") for recipe in known.values()}
    assert len(made) == len(known)


def test_only_what_is_asked_for(pack: VoicePack, ranges: Path) -> None:
    both: list[Precision] = ["fp32", "int8"]
    assert list(recipes(pack, "tensorrt", both, ranges)) == ["int8", "fp32"]
    wanted: list[Precision] = ["int8"]
    with pytest.raises(BuildError) as error:
        recipes(pack, "ort-cuda", wanted, ranges)
    assert error.value.code == "precision_unknown"


def test_int8_without_ranges_fails_by_name(pack: VoicePack, tmp_path: Path) -> None:
    recipe = recipes(pack, "tensorrt", (), tmp_path / "none.json")["int8"]
    assert recipe.made_of("vocoder")
    with pytest.raises(BuildError, match="calibrate") as error:
        recipe("vocoder", read_graph(pack.graphs["vocoder"]))
    assert error.value.code == "calibration_missing"


def test_other_ranges_are_another_engine(pack: VoicePack, ranges: Path, tmp_path: Path) -> None:
    calibrate(pack, [*TEXTS, "再见。"], tmp_path / "other.json")
    made = {
        recipes(pack, backend, (), path)["int8"].made_of("vocoder")
        for path in (ranges, tmp_path / "other.json")
        for backend in BOTH
    }
    assert len(made) == 4


@pytest.mark.parametrize("graph", GRAPHS)
def test_int8_for_the_processor_runs_and_is_smaller(
    pack: VoicePack, ranges: Path, graph: str
) -> None:
    model = read_graph(pack.graphs[graph])
    (made,) = recipes(pack, "ort-cpu", (), ranges)["int8"](graph, model)
    assert made.model.ByteSize() < model.ByteSize()
    OrtSession(made.model.SerializeToString(), 1)


def test_the_processor_needs_no_ranges_for_products(pack: VoicePack, tmp_path: Path) -> None:
    recipe = recipes(pack, "ort-cpu", (), tmp_path / "none.json")["int8"]
    assert recipe("encoder", read_graph(pack.graphs["encoder"]))
    with pytest.raises(BuildError, match="calibrate"):
        recipe("vocoder", read_graph(pack.graphs["vocoder"]))


def test_layers_are_chosen_by_who_hears_them(pack: VoicePack, ranges: Path, tmp_path: Path) -> None:
    """A judge that bears no more than half of the encoder's groups."""
    model = read_graph(pack.graphs["encoder"])

    def judge(engines: Mapping[str, Session]) -> Verdict:
        share = len(calls) % 5 / 4.0  # the whole fails, then groups alone differ
        calls.append(share)
        return Verdict(share < 0.5, (), {}, {}, 0, 2 * share, ())

    calls = [2.0, 2.0, 2.0]
    heard = Hearing(judge, "half", tmp_path / "log", lambda _: None)
    made, less = recipes(pack, "ort-cpu", (), ranges, heard)["int8"]("encoder", model)
    choice = heard.choices["encoder", "int8"]
    all_groups, some = len(choice.alone), len(choice.groups)
    assert made.note == f"{some} of {all_groups} groups of layers"
    assert less.note == f"{some - some // 2} of {all_groups} groups of layers"
    assert less.model.SerializeToString() != made.model.SerializeToString()
    assert choice.dropped
    assert heard.plot(tmp_path / "search.png")


def test_a_log_that_cannot_be_written_is_told(
    pack: VoicePack, ranges: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    heard = Hearing(
        lambda _: Verdict(True, (), {}, {}, 0, 0.0, ()), "any", tmp_path / "file" / "log", print
    )
    recipe = recipes(pack, "ort-cpu", (), ranges, heard)["int8"]
    with pytest.raises(BuildError, match="--store") as error:
        recipe("encoder", read_graph(pack.graphs["encoder"]))
    assert error.value.code == "cannot_write"


@pytest.mark.tensorrt
@pytest.mark.parametrize("precision", LADDERS["tensorrt"])
def test_every_rung_builds_in_tensorrt(
    trt: Any, pack: VoicePack, ranges: Path, precision: Precision
) -> None:
    recipe = recipes(pack, "tensorrt", (), ranges)[precision]
    dimensions, built = voice_dimensions(pack.file), 0
    for name, model in read_graphs(pack).items():
        for candidate in recipe(name, model):
            shapes = [profile(candidate.model, dimensions[name])]
            assert build(trt, candidate.model, shapes).data
            built += 1
            if precision.startswith("int8"):
                assert TensorProto.INT8 in kinds(candidate.model)
    assert built
