"""The report of a machine, and engines tried on it (on a fake GPU that computes)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

from benchmarks import random_voice
from engines.device import Device
from engines.gpu import Gpu
from engines.pack import GRAPHS, VoicePack
from tests.engines.conftest import card
from tests.engines.fake_gpu import Card, plan
from trt_build.commands.doctor import report
from trt_build.errors import BuildError
from trt_build.machine import nodes
from trt_build.profiles import Profile
from trt_build.trial import CALLS, Trial, spoken_feeds, trials

__all__ = ["card"]
ORIN = Device("Orin", "8.7", 8 << 30, True, "12.6", "10.3.0", "2024.1", "1.19.2", ("CUDA",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_voice.write(random_voice.tiny(), tmp_path_factory.mktemp("v") / "tiny", "tiny")


@pytest.fixture
def gpu(card: Card) -> Iterator[Gpu]:
    it = Gpu()
    yield it
    it.close()


def fake_build(model: onnx.ModelProto, shapes: Profile) -> bytes:
    return plan(model.SerializeToString(), shapes)


def test_every_graph_is_tried_and_timed(folder: Path, gpu: Gpu, card: Card) -> None:
    said: list[str] = []
    done = trials(gpu, VoicePack(folder), fake_build, said.append)
    assert [it.graph for it in done] == list(GRAPHS)
    assert {it.said for it in done} == {"OK"}
    for it in done:
        assert it.difference < 1e-5
        assert min(it.build_s, it.plan_bytes, it.cpu_ms, it.plain_ms, it.recorded_ms) > 0
    assert card.launches > 20
    assert len(said) == 1 + len(GRAPHS)
    assert gpu.memory().keys() == {"scratch shared by all engines"}


def test_a_graph_that_does_not_build_or_run_is_told_beside_the_others(
    folder: Path, gpu: Gpu
) -> None:
    def build(model: onnx.ModelProto, shapes: Profile) -> bytes:
        if "decoder_mel" in shapes:
            raise BuildError("build_failed", "no kernel for Conv_7")
        return b"broken" if "mel" in shapes else fake_build(model, shapes)

    done = {it.graph: it.said for it in trials(gpu, VoicePack(folder), build, lambda _: None)}
    assert done["postnet"] == "no kernel for Conv_7 [build_failed]"
    assert "does not take the engine" in done["vocoder"]
    assert done["encoder"] == done["decoder_step"] == "OK"


def test_what_is_fed_is_what_a_sentence_feeds(folder: Path) -> None:
    fed = spoken_feeds(VoicePack(folder))
    assert fed.keys() == set(GRAPHS)
    assert len(fed["decoder_step"]) == CALLS
    assert len(fed["vocoder"]) > 1


def test_the_report_of_a_machine_with_everything(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = [
        Trial("encoder", "OK", 12.34, 1_234_567, 5.0, 1.0, 0.5, 2e-6),
        Trial("vocoder", "no kernel [build_failed]"),
    ]
    assert report([folder], True, ORIN, lambda pack, progress: done[:1]) == 0
    assert report([folder], True, ORIN, lambda pack, progress: done) == 1
    out = capsys.readouterr().out
    assert "| GPU | Orin, compute capability 8.7, 8,192 MiB shared with the processor" in out
    assert "| encoder | 12.3 | 1,234,567 | 5.000 | 1.000 | 0.500 | 2.0e-06 | OK |" in out
    assert "no kernel [build_failed]" in out


def test_without_a_gpu_it_says_so_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def never(*_: object) -> list[Trial]:
        raise AssertionError

    lacking = Device(why="no NVIDIA driver is installed, so there is no GPU to use")
    assert report([folder], True, lacking, never) == 1
    assert "were not tried: no NVIDIA driver is installed" in capsys.readouterr().out
    assert report([], False, lacking, never) == 0
    assert report([], True, ORIN, never) == 1
    assert "Name a voice" in capsys.readouterr().out


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
