from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from matplotlib.image import imread

from training.__main__ import main
from training.acoustic import AcousticTrainer
from training.align import load_durations
from training.errors import TrainingError
from training.loop import Run, finished_steps
from training.stages import Recipe, finished, run
from training.vocoder import VocoderTrainer

STEPS = 8
SAMPLES = {"acoustic": "sample_000004.png", "vocoder": "sample_000004.wav"}


class KilledError(Exception):
    """Stands for whatever ends a training in the middle."""


@pytest.mark.parametrize("stage", ["acoustic", "vocoder"])
def test_training_leaves_checkpoint_history_and_curves(trained: Recipe, stage: str) -> None:
    folder = trained.out / stage
    assert finished_steps(folder) == STEPS
    assert finished(trained, stage)
    history = json.loads((folder / "history.json").read_text())
    assert history[-1]["step"] == STEPS
    assert all(value > 0 for value in history[-1].values())
    assert imread(folder / "curves.png").shape[0] > 100


def test_vocoder_history_holds_both_phases(trained: Recipe) -> None:
    last = json.loads((trained.out / "vocoder" / "history.json").read_text())[-1]
    assert set(last) == {"step", "spectral", "judge", "fooled", "features"}


def test_vocoder_writes_held_out_words_while_it_trains(trained: Recipe) -> None:
    wave, rate = soundfile.read(trained.out / "vocoder" / SAMPLES["vocoder"])
    assert rate == 16_000
    assert len(wave) == 200 * sum(e.frames for e in trained.corpus().held_out)


@pytest.mark.parametrize("stage", ["acoustic", "vocoder"])
def test_a_stopped_training_goes_on_where_it_was(
    trained: Recipe, stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same steps, same history and same weights as the training that was never stopped."""
    first = trainer(trained, stage, tmp_path)
    die_after(first.run, 5, monkeypatch)
    with pytest.raises(KilledError):
        first.train()
    assert finished_steps(tmp_path) == 5
    monkeypatch.undo()
    again = trainer(trained, stage, tmp_path)
    assert again.run.step == 5
    again.train()
    assert finished_steps(tmp_path) == STEPS
    stopped, whole = (
        json.loads((f / "history.json").read_text()) for f in (tmp_path, trained.out / stage)
    )
    assert stopped == [pytest.approx(h, rel=1e-4) for h in whole]
    part = {"acoustic": "sambert", "vocoder": "generator"}[stage]
    a, b = (torch.load(f / "checkpoint.pth")[part] for f in (tmp_path, trained.out / stage))
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-4, atol=1e-5)


def test_a_checkpoint_that_lacks_a_part_is_refused(trained: Recipe, tmp_path: Path) -> None:
    state = torch.load(trained.out / "vocoder" / "checkpoint.pth")
    del state["judges"]
    torch.save(state, tmp_path / "checkpoint.pth")
    with pytest.raises(TrainingError, match="lacks judges") as error:
        trainer(trained, "vocoder", tmp_path)
    assert error.value.code == "checkpoint_incomplete"


def trainer(recipe: Recipe, stage: str, folder: Path) -> AcousticTrainer | VocoderTrainer:
    corpus, sizes = recipe.corpus(), recipe.sizes
    if stage == "vocoder":
        return VocoderTrainer(corpus, sizes.vocoder, folder, "cpu", recipe.seed)
    durations = load_durations(recipe.out / "align")
    return AcousticTrainer(corpus, durations, sizes.acoustic, folder, "cpu", recipe.seed)


def die_after(run: Run, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the checkpoint of this many steps be the last, and end the training in the step after."""
    log = run.log

    def dying(**losses: float) -> None:
        if run.step == step:
            raise KilledError
        if run.step == step - 1:
            monkeypatch.setattr("training.loop.SAVE_EVERY_S", 0.0)
        log(**losses)

    monkeypatch.setattr(run, "log", dying)


def test_finished_stages_are_left_alone(trained: Recipe, recordings: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in trained.out.rglob("*") if p.is_file()}
    for stage in ("prepare", "align", "acoustic", "vocoder"):
        command = ["--data", str(recordings), "--out", str(trained.out), "--preset", "tiny"]
        assert main([*command, "--stage", stage, "--device", "cpu"]) == 0
    assert before == {p: p.stat().st_mtime_ns for p in trained.out.rglob("*") if p.is_file()}


def test_relabel_asks_for_a_new_alignment(recipe: Recipe, tmp_path: Path) -> None:
    shutil.copytree(recipe.out / "corpus", tmp_path / "corpus")
    shutil.copytree(recipe.out / "align", tmp_path / "align")
    moved = dataclasses.replace(recipe, out=tmp_path)
    run(moved, "relabel")
    assert finished(moved, "align")
    index = tmp_path / "corpus" / "corpus.json"
    index.write_text(index.read_text("utf-8").replace('"ni2"', '"ni3"'), "utf-8")
    run(moved, "relabel")
    assert not finished(moved, "align")
    run(moved, "align")
    assert load_durations(tmp_path / "align").keys() == load_durations(recipe.out / "align").keys()


def test_another_preset_in_the_same_folder_is_refused(recipe: Recipe) -> None:
    with pytest.raises(TrainingError, match="--preset tiny --seed 0") as error:
        run(dataclasses.replace(recipe, preset="small"), "acoustic")
    assert error.value.code == "preset_mismatch"


def empty(folder: Path) -> None:
    (folder / "readme.txt").write_text("nothing here")


def broken(folder: Path) -> None:
    (folder / "你好.mp3").write_bytes(b"\x00" * 100)


@pytest.mark.parametrize(
    ("spoil", "code", "cure"),
    [(empty, "data_not_found", "--data"), (broken, "data_unreadable", "MP3, WAV")],
)
def test_bad_data_is_told(
    spoil: Any, code: str, cure: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    spoil(data)
    out = tmp_path / "run"
    assert main(["--data", str(data), "--out", str(out), "--stage", "prepare"]) == 1
    told = capsys.readouterr().err
    assert cure in told
    assert f"[{code}]" in told
    assert not (out / "corpus").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--stage", "prepare", "--data", "no/such/folder"], "data_not_found"),
        (["--stage", "prepare"], "data_not_found"),
        (["--stage", "align"], "stage_missing"),
        (["--stage", "acoustic"], "stage_missing"),
        (["--stage", "vocoder"], "stage_missing"),
        (["--stage", "export"], "stage_missing"),
        (["--stage", "relabel"], "stage_missing"),
    ],
)
def test_stages_out_of_order_are_told(
    arguments: list[str], code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "run"), *arguments]) == 1
    assert f"[{code}]" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_without_a_gpu_is_told(recipe: Recipe, tmp_path: Path) -> None:
    shutil.copytree(recipe.out / "corpus", tmp_path / "corpus")
    with pytest.raises(TrainingError, match="--device cpu"):
        run(dataclasses.replace(recipe, out=tmp_path, device="cuda"), "vocoder")


def test_help_names_the_recordings(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert "github.com/hugolpz/audio-cmn" in told
    assert "96k/hsk" in told
