"""build, report, list and clean as a user runs them, on a box without a GPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engines.device import Device
from engines.pack import GRAPHS, VoicePack
from engines.store import MANIFEST, Store
from tests.trt_build import slow_voice
from trt_build import recipes
from trt_build.__main__ import main
from trt_build.backends import choose
from trt_build.errors import BuildError

CARD = Device(gpu="Orin", sm="8.7", tensorrt="10.3.0", pycuda="2024.1")
CUDA = ("CUDAExecutionProvider", "CPUExecutionProvider")


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return slow_voice.write(tmp_path_factory.mktemp("voices") / "tiny", ["memory"]).folder


@pytest.fixture(autouse=True)
def box_without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there is one."""
    bare = Device(why="no NVIDIA driver is installed")
    monkeypatch.setattr("trt_build.backends.device", lambda: bare)


def run(*args: object) -> int:
    return main([str(arg) for arg in args])


@pytest.fixture
def fast_int8(voice: Path, monkeypatch: pytest.MonkeyPatch) -> slow_voice.Fast:
    """An INT8 that loses nothing, as its graph is the true one and the pack's was slowed."""
    fast = slow_voice.Fast(VoicePack(voice))
    monkeypatch.setattr(recipes, "Int8", lambda *_: fast)
    return fast


def test_a_build_on_the_processor(
    voice: Path,
    tmp_path: Path,
    fast_int8: slow_voice.Fast,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the real gate, over one sentence."""
    build = ("build", voice, "--store", tmp_path, "--sentences", 1)
    assert run(*build) == 0
    told = capsys.readouterr()
    assert "memory int8: listening" in told.err
    lines = [line for line in told.out.splitlines() if line.startswith("memory")]
    assert lines[0].split()[1:3] == ["ort-cpu", "int8"]
    assert "slower" in lines[1]

    manifest = Store(tmp_path).read(VoicePack(voice))
    assert manifest is not None
    engine = manifest.engines["memory"]
    assert engine.file
    assert engine.quality["mcd_db"] < 0.1
    assert manifest.quality == engine.quality

    assert run(*build, "--dry-run") == 0
    assert "nothing to build" in capsys.readouterr().out
    assert run(*build) == 0
    assert "nothing to build" in capsys.readouterr().err
    assert sorted(set(fast_int8.asked)) == sorted(GRAPHS)
    assert len(fast_int8.asked) == len(GRAPHS)

    assert run("report", voice, "--store", tmp_path) == 0
    told = capsys.readouterr()
    assert "slower" in told.out
    assert "ms for a second of speech" in told.out
    assert run("report", voice, "--store", tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["engines"]["memory"]["precision"] == "int8"
    assert run("report", voice, "--store", tmp_path, "--markdown") == 0
    assert "| memory | ort-cpu | int8 |" in capsys.readouterr().out

    assert run("list", "--store", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[1] for line in lines] == list(GRAPHS)
    assert all(line.endswith("ok") for line in lines)


def test_a_dry_run_says_what_it_would_do_and_does_nothing(
    voice: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("build", voice, "--store", tmp_path / "none", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "would build encoder as int8, fp32: not built yet"
    assert len(lines) == len(GRAPHS)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("backend", ["tensorrt", "ort-cuda"])
def test_a_gpu_that_is_not_there_is_told_at_once(
    voice: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], backend: str
) -> None:
    assert run("build", voice, "--store", tmp_path, "--backend", backend) == 1
    told = capsys.readouterr().err
    assert told.endswith("[backend_missing]\n")
    assert "no NVIDIA driver" in told
    assert "leave --backend out" in told
    assert list(tmp_path.iterdir()) == []


def test_a_precision_the_backend_lacks_is_told(
    voice: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("build", voice, "--store", tmp_path, "--precision", "fp16") == 1
    assert "it has int8, fp32 [precision_unknown]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", ["--sentences=0", "--time-limit=-1", "--opt-level=6", "--memory-mb=x"]
)
def test_bad_options_are_refused(voice: Path, option: str) -> None:
    with pytest.raises(SystemExit) as error:
        run("build", voice, option)
    assert error.value.code == 2


def test_the_best_backend_is_chosen() -> None:
    assert choose(None, CARD) == "tensorrt"
    lame = Device(gpu="RTX", sm="8.9", providers=CUDA, why="tensorrt is not installed")
    assert choose(None, lame) == "ort-cuda"
    assert choose(None, Device(providers=CUDA, why="no driver")) == "ort-cpu"
    assert choose("ort-cpu", CARD) == "ort-cpu"
    with pytest.raises(BuildError, match="tensorrt is not installed"):
        choose("tensorrt", lame)
    with pytest.raises(BuildError, match=r"\.\[gpu\]"):
        choose("ort-cuda", CARD)


def test_a_report_of_what_was_not_built_names_the_cure(
    voice: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("report", voice, "--store", tmp_path) == 1
    told = capsys.readouterr().err
    assert "python -m trt_build build" in told
    assert told.endswith("[not_built]\n")


@pytest.fixture
def built(voice: Path, tmp_path: Path) -> Store:
    """A store as a quick build leaves it: the voice's own graphs."""
    assert run("build", voice, "--store", tmp_path, "--precision", "fp32") == 0
    return Store(tmp_path)


def test_without_a_faster_engine_the_voices_own_stay(
    built: Store, voice: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = built.read(VoicePack(voice))
    assert manifest is not None
    assert {engine.file for engine in manifest.engines.values()} == {""}
    capsys.readouterr()
    assert run("report", voice, "--store", built.root) == 0
    assert "own graphs run everything" in capsys.readouterr().out


def test_engines_that_cannot_be_used_are_listed_as_such(
    built: Store, voice: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = built.folder(VoicePack(voice)) / MANIFEST
    text = path.read_text("utf-8")
    path.write_text(text.replace("onnxruntime ", "onnxruntime 0"), "utf-8")
    capsys.readouterr()
    assert run("list", "--store", built.root) == 0
    assert "stale: built for" in capsys.readouterr().out
    path.write_text("{", "utf-8")
    assert run("list", "--store", built.root) == 0
    assert "[store_broken]" in capsys.readouterr().out
    path.unlink()
    assert run("list", "--store", built.root) == 0
    assert "nothing published yet" in capsys.readouterr().out


def test_an_empty_store_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--store", tmp_path / "none") == 0
    assert "no engines" in capsys.readouterr().out


def test_clean_removes_what_is_named(
    built: Store, voice: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = built.folder(VoicePack(voice))
    (tmp_path / "mine").mkdir()
    assert run("clean", "--store", built.root) == 1
    assert "[nothing_named]" in capsys.readouterr().err
    assert run("clean", "--stale", "--store", built.root) == 0
    assert run("clean", voice, "--dry-run", "--store", built.root) == 0
    assert folder.exists()
    assert run("clean", voice, "--store", built.root) == 0
    assert not folder.exists()
    assert (tmp_path / "mine").exists()


def test_clean_removes_what_is_of_no_use_here(built: Store, voice: Path) -> None:
    path = built.folder(VoicePack(voice)) / MANIFEST
    text = path.read_text("utf-8")
    path.write_text(text.replace("onnxruntime ", "onnxruntime 0"), "utf-8")
    assert run("clean", "--stale", "--store", built.root) == 0
    assert not path.parent.exists()


def test_clean_leaves_what_is_being_built(
    built: Store, voice: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = VoicePack(voice)
    with built.lock(pack):
        assert run("clean", "--all", "--store", built.root) == 1
    assert "[store_locked]" in capsys.readouterr().err
    assert built.read(pack) is not None
    assert run("clean", "--all", "--store", built.root) == 0
    assert built.folders() == []


@pytest.mark.parametrize("number", ["0", "-3", "many"])
@pytest.mark.parametrize("command", ["build", "search", "calibrate"])
def test_a_number_of_sentences_is_one_at_least(
    voice: Path, command: str, number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(command, voice, "--sentences", number)
    assert ended.value.code == 2
    assert f"{number!r} is not a whole number from 1 on" in capsys.readouterr().err


def test_a_second_builder_does_not_even_calibrate(
    voice: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (voice / "calibration.txt").write_text("你好，今天天气真好，我们去公园走走。\n" * 8, "utf-8")
    with Store(tmp_path).lock(VoicePack(voice)) as folder:
        assert run("build", voice, "--store", tmp_path) == 1
        assert [path.name for path in folder.iterdir()] == ["lock"]
    assert "[store_locked]" in capsys.readouterr().err


def test_a_store_that_cannot_be_written_is_told_at_once(
    voice: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run("build", voice, "--store", tmp_path / "file") == 1
    told = capsys.readouterr().err
    assert "--store. The engines in use are untouched [store_unwritable]" in told
    assert "texts" not in told
