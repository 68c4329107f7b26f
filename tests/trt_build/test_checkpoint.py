"""KAN-TTS model folders: what is read from them, and what is refused and how."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from trt_build.export.checkpoint import (
    fold_weight_norm,
    load_generator,
    load_sambert,
    newest_checkpoint,
)
from trt_build.export.errors import ExportError

KANTTS = Path(__file__).parents[1] / "data" / "kantts"


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    return Path(shutil.copytree(KANTTS / "hifigan_v1_16k", tmp_path / "voc"))


class Trap:
    """Leaves a file behind where a checkpoint's code is run."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.mark,)


def refused(code: str, folder: Path, load: Callable[[Path], object] = load_generator) -> str:
    with pytest.raises(ExportError) as caught:
        load(folder)
    assert caught.value.code == code
    return str(caught.value)


def change_config(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text("utf-8"))
    change(config["Model"]["Generator"]["params"])
    path.write_text(yaml.safe_dump(config), "utf-8")


@pytest.mark.parametrize(
    "layer",
    [nn.Conv1d(3, 4, 5), nn.ConvTranspose1d(3, 4, 6), nn.Conv2d(2, 3, (5, 1)), nn.Linear(4, 3)],
)
def test_folded_weight_norm_is_pytorchs(layer: nn.Module) -> None:
    normed = weight_norm(layer)
    g, v = (normed.get_parameter(f"parametrizations.weight.original{i}") for i in (0, 1))
    with torch.no_grad():
        g *= torch.rand_like(g) + 0.5
    bias = torch.ones(2)
    folded = fold_weight_norm({"a.weight_g": g, "a.weight_v": v, "a.bias": bias})
    assert sorted(folded) == ["a.bias", "a.weight"]
    assert isinstance(normed.weight, torch.Tensor)
    assert torch.allclose(folded["a.weight"], normed.weight, atol=1e-7)
    assert folded["a.bias"] is bias


def test_the_highest_step_is_the_newest(tmp_path: Path) -> None:
    (tmp_path / "ckpt").mkdir()
    for step in (900, 10000, 2000):
        (tmp_path / "ckpt" / f"checkpoint_{step}.pth").touch()
    assert newest_checkpoint(tmp_path).name == "checkpoint_10000.pth"


def test_missing_parts_are_named(voc: Path, tmp_path: Path) -> None:
    assert "config.yaml" in refused("config_missing", tmp_path / "nowhere")
    shutil.rmtree(voc / "ckpt")
    assert "checkpoint_N.pth" in refused("checkpoint_missing", voc)


@pytest.mark.parametrize("text", ["- a\n- b\n", "", "a: [1\n", "\0"])
def test_a_config_that_is_no_mapping(voc: Path, text: str) -> None:
    (voc / "config.yaml").write_text(text, "utf-8")
    refused("config_unreadable", voc)


def test_configs_that_lack_something(voc: Path) -> None:
    refused("config_incomplete", voc, load_sambert)
    change_config(voc, lambda params: params.pop("upsample_scales"))
    assert "upsample_scales" in refused("config_incomplete", voc)


def test_a_config_that_makes_no_model(voc: Path) -> None:
    change_config(voc, lambda params: params["upsample_scales"].append(2))
    refused("config_unreadable", voc)


def test_a_checkpoint_of_another_model(voc: Path) -> None:
    change_config(voc, lambda params: params.update(channels=2 * params["channels"]))
    refused("checkpoint_mismatch", voc)
    shutil.copytree(KANTTS / "sambert_16k" / "ckpt", voc / "ckpt", dirs_exist_ok=True)
    assert "model.generator" in refused("checkpoint_mismatch", voc)


def test_code_in_a_checkpoint_is_not_run(voc: Path, tmp_path: Path) -> None:
    mark = tmp_path / "was_run"
    torch.save({"model": {"generator": {"w": Trap(mark)}}}, newest_checkpoint(voc))
    assert "never run" in refused("checkpoint_unsafe", voc)
    assert not mark.exists()
    torch.load(newest_checkpoint(voc), weights_only=False)
    assert mark.exists()  # the trap does work


@pytest.mark.parametrize("keep", [0, 5, 3000])
def test_a_damaged_checkpoint(voc: Path, keep: int) -> None:
    path = newest_checkpoint(voc)
    path.write_bytes(path.read_bytes()[:keep])
    refused("checkpoint_unreadable", voc)


def test_a_file_that_is_no_checkpoint(voc: Path) -> None:
    newest_checkpoint(voc).write_bytes(b"<html>not found</html>" * 50)
    refused("checkpoint_unreadable", voc)
