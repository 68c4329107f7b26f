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

from tests.trt_build.kantts_voices import change_state, model
from trt_build.export.checkpoint import (
    fold_weight_norm,
    left_out,
    load_generator,
    load_sambert,
    newest_checkpoint,
    read_checkpoint,
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


@pytest.fixture
def am(tmp_path: Path) -> Path:
    return model("sambert_16k", tmp_path / "am")


def test_a_checkpoint_as_training_writes_it(am: Path, voc: Path) -> None:
    """With the states of optimizers and schedulers, which hold more than tensors."""

    class NoamLR(torch.optim.lr_scheduler.LRScheduler):
        def get_lr(self) -> list[float | torch.Tensor]:
            return [0.5 * float(rate) for rate in self.base_lrs]

    layer = nn.Linear(2, 2)
    adam = torch.optim.Adam(layer.parameters(), betas=(0.9, 0.98))
    noam, steps = NoamLR(adam), torch.optim.lr_scheduler.MultiStepLR(adam, [5, 9])
    layer(torch.ones(1, 2)).sum().backward()
    adam.step()
    acoustic = read_checkpoint(newest_checkpoint(am), "model")
    state = {"optimizer": adam.state_dict(), "scheduler": noam.state_dict(), "steps": 90000}
    torch.save({**state, "model": acoustic}, am / "ckpt" / "checkpoint_90000.pth")
    weights = torch.load(newest_checkpoint(voc), weights_only=True)["model"]["generator"]
    pairs = {"generator": adam.state_dict(), "discriminator": {"MultiPeriod": adam.state_dict()}}
    torch.save(
        {
            "optimizer": pairs,
            "scheduler": {"generator": steps.state_dict()},
            "model": {"generator": weights, "discriminator": {"MultiPeriod": layer.state_dict()}},
            "steps": 400000,
        },
        voc / "ckpt" / "checkpoint_400000.pth",
    )
    assert newest_checkpoint(am).name == "checkpoint_90000.pth"
    assert load_sambert(am).num_mels == 80
    assert load_generator(voc).config.channels == 32


def test_one_checkpoint_of_several(voc: Path) -> None:
    older = voc / "ckpt" / "checkpoint_0.pth"
    (voc / "ckpt" / "checkpoint_7.pth").write_bytes(b"cut off")
    refused("checkpoint_unreadable", voc)
    assert load_generator(voc, older).config.channels == 32
    refused("checkpoint_missing", voc, lambda folder: load_generator(folder, folder / "no.pth"))


def test_parts_of_training_are_left_out(am: Path) -> None:
    before = load_sambert(am).state_dict()
    parts = {
        "align_attention.key_proj.0.conv.weight": torch.ones(3),
        "FP_predictor.fc.bias": torch.ones(4),
    }
    path = change_state(am, lambda state: state.update(parts))
    told = left_out(read_checkpoint(path, "model"))
    assert [text.split(":")[0] for text in told] == ["align_attention", "FP_predictor"]
    after = load_sambert(am).state_dict()
    assert before.keys() == after.keys()
    assert all(bool((before[name] == after[name]).all()) for name in before)
    assert left_out(before) == ()


def test_position_tables_of_a_float16_checkpoint_are_exact(am: Path) -> None:
    name = "variance_adaptor.dur_position_encoder.inv_timescales"
    before = load_sambert(am).state_dict()[name]
    change_state(am, lambda state: state.update({n: t.half() for n, t in state.items()}))
    assert bool((load_sambert(am).state_dict()[name] == before).all())
    change_state(am, lambda state: state[name].mul_(1.5))  # not rounding: as the checkpoint has it
    assert not torch.allclose(load_sambert(am).state_dict()[name], before)


def test_keys_that_differ_are_counted_and_named(am: Path) -> None:
    def change(state: dict[str, torch.Tensor]) -> None:
        for name in [n for n in state if n.startswith("mel_postnet")]:
            state["other." + name] = state.pop(name)
        del state["text_encoder.sy_emb.weight"]

    change_state(am, change)
    told = refused("checkpoint_mismatch", am, load_sambert)
    assert "lacks mel_postnet.fc.bias, " in told
    assert "unknown other.mel_postnet.fc.bias, " in told
    assert " more" in told


def test_shapes_that_differ_are_named(am: Path) -> None:
    name = "mel_postnet.fc.bias"
    change_state(am, lambda state: state.update({name: torch.ones(7)}))
    assert f"{name} is (7,), not (80,)" in refused("checkpoint_mismatch", am, load_sambert)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_no_numbers(voc: Path, value: float) -> None:
    change_state(voc, lambda state: state["conv_post.conv1d.bias"].fill_(value))
    assert "conv_post.conv1d.bias" in refused("weights_not_finite", voc)


def test_a_pointer_of_git_lfs(voc: Path) -> None:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 5\n"
    newest_checkpoint(voc).write_text(text)
    assert "git lfs pull" in refused("checkpoint_unreadable", voc)


def test_tuples_of_yaml_dump_are_read_and_objects_are_not(voc: Path) -> None:
    path = voc / "config.yaml"
    text = path.read_text("utf-8")
    path.write_text(text + "betas: !!python/tuple [0.5, 0.9]\n", "utf-8")
    assert load_generator(voc).config.channels == 32
    path.write_text(text + "x: !!python/object/apply:os.system ['touch was_run']\n", "utf-8")
    refused("config_unreadable", voc)


@pytest.mark.parametrize(
    "shape", [(1,), (1, 1, 1), (3, 1, 1), (8, 1), (8, 2, 1), (0, 1, 1), (8, 7, 5)], ids=str
)
def test_a_norm_that_does_not_fit_its_weight(shape: tuple[int, ...]) -> None:
    """PyTorch's kernel would write where it must not."""
    state = {"a.weight_g": torch.ones(shape), "a.weight_v": torch.ones(8, 7, 5)}
    with pytest.raises(ExportError, match=r"a\.weight_g is .* no norm of a\.weight_v") as caught:
        fold_weight_norm(state)
    assert caught.value.code == "checkpoint_mismatch"


@pytest.mark.parametrize("shape", [(0, 7, 5), (8, 0, 5), ()], ids=str)
def test_a_norm_of_nothing(shape: tuple[int, ...]) -> None:
    """PyTorch's kernel would divide by its size."""
    norm = (*shape[:1], *[1] * (len(shape) - 1))
    state = {"a.weight_g": torch.ones(norm), "a.weight_v": torch.ones(shape)}
    with pytest.raises(ExportError, match="no norm"):
        fold_weight_norm(state)


def test_weight_norm_under_pytorch_2s_names(voc: Path) -> None:
    wanted = load_generator(voc).state_dict()

    def rename(state: dict[str, torch.Tensor]) -> None:
        for name in list(state):
            for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
                if name.endswith(old):
                    stem = name.removesuffix(old)
                    state[f"{stem}parametrizations.weight.{new}"] = state.pop(name)

    change_state(voc, rename)
    got = load_generator(voc).state_dict()
    assert all(torch.equal(got[name], tensor) for name, tensor in wanted.items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_constants_are_exact_in_a_checkpoint_of_half_precision(
    am: Path, dtype: torch.dtype
) -> None:
    wanted = load_sambert(am).text_encoder.ling_enc.position_enc.position_enc
    change_state(am, lambda state: state.update({n: t.to(dtype) for n, t in state.items()}))
    model = load_sambert(am)
    assert torch.equal(model.text_encoder.ling_enc.position_enc.position_enc, wanted)
    assert all(p.dtype is torch.float32 for p in model.parameters())


def test_constants_that_are_missing_are_computed(am: Path) -> None:
    name = "text_encoder.ling_enc.position_enc.position_enc"
    wanted = load_sambert(am).state_dict()[name]
    change_state(am, lambda state: state.pop(name))
    assert torch.allclose(load_sambert(am).state_dict()[name], wanted, atol=1e-6)


def test_only_names_with_a_step_are_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "ckpt").mkdir()
    for name in ("checkpoint_20.pth", "checkpoint_3 (1).pth", "checkpoint_90_v2.pth"):
        (tmp_path / "ckpt" / name).touch()
    assert newest_checkpoint(tmp_path).name == "checkpoint_20.pth"


@pytest.mark.parametrize(
    "weights",
    [
        {3: torch.ones(2)},
        {"a": torch.ones(2, dtype=torch.complex64)},
        {"a": torch.ones(2).to_sparse()},
        {"a": torch.ones(2, dtype=torch.int64)},
        {"a": torch.ones(2, dtype=torch.bool)},
        {"a": torch.ones(2).to(torch.float8_e4m3fn)},
        {"a": torch.ones(2, device="meta")},
        {"a": torch.ones(1).expand(10**12, 9)},
        {"a\n\x1b[31m": torch.ones(2)},
        {"a": "text"},
        [torch.ones(2)],
    ],
    ids=[
        "number",
        "complex",
        "sparse",
        "integers",
        "booleans",
        "float8",
        "no memory",
        "endless",
        "name",
        "text",
        "list",
    ],
)
def test_values_that_are_no_plain_tensors(voc: Path, weights: object) -> None:
    torch.save({"model": {"generator": weights}}, newest_checkpoint(voc))
    assert refused("checkpoint_mismatch", voc)
