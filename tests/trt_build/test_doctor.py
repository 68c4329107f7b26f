"""The report of a machine, and engines tried on it (on a fake GPU that computes)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import onnx
import pytest

from benchmarks import random_voice
from engines.device import Device, device
from engines.pack import GRAPHS, VoicePack
from engines.session import Session
from engines.store import Backend, Precision, Store
from engines.trt_session import TrtSession
from tests.engines.conftest import card
from tests.engines.fake_gpu import Card, plan
from tests.trt_build import slow_voice
from tests.trt_build.test_build_voice import Word
from trt_build.backends import opener
from trt_build.build_voice import Setup, build_voice
from trt_build.commands.doctor import report
from trt_build.errors import BuildError
from trt_build.gpu_trial import Ended, build_apart, tried
from trt_build.machine import nodes
from trt_build.makers import Say
from trt_build.profiles import profile, voice_dimensions
from trt_build.rungs import AsItIs, Recipe
from trt_build.workshop import Workshop

__all__ = ["card"]
ORIN = Device("Orin", "8.7", 8 << 30, True, "12.6", "10.3.0", "2024.1", "1.19.2", ("CUDA",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_voice.write(random_voice.tiny(), tmp_path_factory.mktemp("v") / "tiny", "tiny")


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice for which there is something faster."""
    return slow_voice.write(tmp_path_factory.mktemp("v") / "tiny", ["memory", "vocoder"]).folder


def never(*_: object) -> Ended:
    raise AssertionError


@dataclass(frozen=True)
class FakePlans:
    """Makes plans of the fake TensorRT."""

    pack: VoicePack
    backend: Backend = "tensorrt"
    suffix: str = ".plan"

    def made_of(self, graph: str) -> dict[str, object]:
        return {}

    def make(self, shop: Workshop, key: str, graph: str, model: onnx.ModelProto, say: Say) -> Path:
        if graph == "postnet":
            raise BuildError("build_failed", "no kernel for Conv_7")
        shapes = profile(model, voice_dimensions(self.pack.file)[graph])
        return shop.put(key, self.suffix, plan(model.SerializeToString(), shapes))


def on_fake_gpu(heard: list[set[str]], voice: Path, backend: Backend, store: Path) -> Ended:
    """The real ladder, opened as on a real GPU."""

    def gate(sessions: Mapping[str, Session]) -> Word:
        heard.append({name for name, it in sessions.items() if isinstance(it, TrtSession)})
        return Word()

    pack = VoicePack(voice)
    load, close = opener(backend, pack)
    recipes: dict[Precision, Recipe] = {"fp16": slow_voice.Fast(pack), "fp32": AsItIs()}
    setup = Setup(FakePlans(pack), recipes, gate, opener=load, here=lambda it: ("Orin 8.7", it))
    try:
        build_voice(pack, Store(store), setup, lambda _: None)
    finally:
        close()
    return Ended(0, ("TensorRT: a warning",))


def test_every_graph_climbs_the_ladder_on_the_gpu(
    slow: Path, card: Card, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[set[str]] = []
    assert report([slow], True, ORIN, partial(on_fake_gpu, heard)) == 1
    out = capsys.readouterr().out
    assert "| GPU | Orin, compute capability 8.7, 8,192 MiB shared with the processor" in out
    assert "#### tiny on tensorrt" in out
    assert "tiny on Orin 8.7 (" in out
    rows = [line.split(" | ") for line in out.splitlines() if " | " in line]
    timed = {
        r[0].removeprefix("| ") for r in rows if r[1:3] == ["tensorrt", "fp32"] and r[3] != "-"
    }
    assert timed == set(GRAPHS) - {"postnet"}
    assert "| no kernel for Conv_7 |" in out
    assert "postnet: nothing built for it ran on the GPU" in out
    assert "TensorRT: a warning" in out
    assert "Engines for ort-cuda were not tried: the GPU is there, ONNX Runtime has no CUDA" in out
    assert card.launches > 20, "timed as recorded"
    assert all(heard), "what is heard runs on the GPU"
    assert heard, "what is faster is heard"


def test_a_crash_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = (f"{Path.home()}/x.py: Segmentation fault",)
    assert report([folder], True, ORIN, lambda *_: Ended(-11, said)) == 1
    out = capsys.readouterr().out
    assert "The build ended with signal 11." in out
    assert "~/x.py: Segmentation fault" in out


def test_the_build_is_a_process_of_its_own(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The command itself, with the real gate, for what every box has."""
    build = partial(build_apart, more=["--sentences", "1", "--precision", "fp32"])
    told, well = tried(VoicePack(folder), "ort-cpu", build)
    assert well
    assert "#### tiny on ort-cpu" in told
    assert all(f"| {graph} | ort-cpu | fp32, the voice's own |" in told for graph in GRAPHS)
    out, err = capfd.readouterr()
    assert "graph 6 of 6" in err, "its progress is shown"
    assert out == ""


def test_what_the_build_refuses_is_told(folder: Path) -> None:
    if device().gpu:
        pytest.skip("there is a GPU here")
    told, well = tried(VoicePack(folder), "tensorrt", build_apart)
    assert not well
    assert "The build ended with status 1." in told
    assert "tensorrt cannot be had here: no NVIDIA driver" in told
    assert "[backend_missing]" in told


def test_without_a_gpu_it_says_so_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lacking = Device(why="no NVIDIA driver is installed, so there is no GPU to use")
    assert report([folder], True, lacking, never) == 1
    assert "were not tried: no NVIDIA driver is installed" in capsys.readouterr().out
    assert report([], False, lacking, never) == 0
    assert report([], True, ORIN, never) == 1
    assert "Name a voice" in capsys.readouterr().out


def test_without_tensorrt_onnx_runtime_on_cuda_is_tried_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Device("Orin", "8.7", providers=("CUDAExecutionProvider",), why="tensorrt is not there")
    asked: list[Backend] = []

    def build(voice: Path, backend: Backend, store: Path) -> Ended:
        asked.append(backend)
        return Ended(1)

    assert report([folder], True, found, build) == 1
    assert asked == ["ort-cuda"]
    assert "tensorrt were not tried: tensorrt is not there" in capsys.readouterr().out


def test_files_of_the_driver_are_told(tmp_path: Path) -> None:
    path = tmp_path / "nvidia0"
    path.touch(0o600)
    assert dict(nodes([path]))[str(path)].endswith("open to this user")
    assert "no driver is loaded" in dict(nodes([]))["/dev/nvidia*"]


@pytest.mark.parametrize("options", [[], ["--gpu"], ["--help"]])
def test_it_runs_as_a_command(options: list[str]) -> None:
    run = [sys.executable, "-m", "trt_build", "doctor", *options]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.stderr == ""
    assert "--gpu" in done.stdout or "### sambertd doctor" in done.stdout
    assert done.returncode in ((0, 1) if options == ["--gpu"] else (0,))


def test_the_command_needs_no_onnx() -> None:
    code = "import sys, trt_build.commands.doctor; print('onnx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False"
