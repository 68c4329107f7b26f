"""KAN-TTS model folders, config.yaml and ckpt/checkpoint_N.pth; none of their code is run."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from trt_build.export.errors import ExportError
from trt_build.export.hifigan import Generator, GeneratorConfig, SourceConfig
from trt_build.export.sambert import Sambert, Vocabulary

State = dict[str, Tensor]


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config.yaml.

    Raises:
        ExportError: config_missing, config_unreadable.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        raise ExportError(
            "config_missing", f"{path} does not exist; name a KAN-TTS am or voc model folder"
        )
    try:
        config: Any = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise ExportError("config_unreadable", f"{path} is not YAML; mend it: {e}") from e
    if not isinstance(config, dict):
        raise ExportError("config_unreadable", f"{path} is no mapping; copy the voice's anew")
    return config


def model_params(folder: Path, model: str) -> dict[str, Any]:
    """`Model.<model>.params` of the folder's config.yaml.

    Raises:
        ExportError: config_missing, config_unreadable, config_incomplete.
    """
    value: Any = read_config(folder)
    for key in ("Model", model, "params"):
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        raise ExportError(
            "config_incomplete",
            f"{folder / 'config.yaml'} has no Model.{model}.params; name the folder of that model",
        )
    return value


@contextmanager
def _fitting(folder: Path) -> Iterator[None]:
    """Say which file is to blame when a model cannot be made from a folder's two."""
    try:
        yield
    except KeyError as e:
        raise ExportError(
            "config_incomplete", f"{folder / 'config.yaml'} lacks {e}; copy the voice's anew"
        ) from e
    except (TypeError, ValueError) as e:
        raise ExportError(
            "config_unreadable",
            f"{folder / 'config.yaml'} has a value no model can be made with; copy the voice's "
            f"anew: {e}",
        ) from e
    except RuntimeError as e:
        raise ExportError(
            "checkpoint_mismatch",
            f"{folder / 'ckpt'} does not hold the model of config.yaml; put the two that belong "
            f"together into one folder: {e}",
        ) from e


def newest_checkpoint(folder: Path) -> Path:
    """The checkpoint with the highest step.

    Raises:
        ExportError: checkpoint_missing.
    """
    found = sorted(
        (folder / "ckpt").glob("checkpoint_*.pth"),
        key=lambda p: int(re.sub(r"\D", "", p.stem) or 0),
    )
    if not found:
        raise ExportError(
            "checkpoint_missing",
            f"{folder / 'ckpt'} holds no checkpoint_N.pth; name a KAN-TTS am or voc model folder",
        )
    return found[-1]


def read_checkpoint(folder: Path, *keys: str) -> State:
    """The tensors of the newest checkpoint under these keys; no code in it is run.

    Raises:
        ExportError: checkpoint_missing, checkpoint_unsafe, checkpoint_unreadable,
            checkpoint_mismatch.
    """
    path = newest_checkpoint(folder)
    try:
        value: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as e:
        if isinstance(e, pickle.UnpicklingError) and zipfile.is_zipfile(path):
            raise ExportError(
                "checkpoint_unsafe",
                f"{path} holds Python objects, which are never run here; load it where you trust "
                "it and save its tensors alone under the same keys with torch.save",
            ) from e
        raise ExportError(
            "checkpoint_unreadable",
            f"{path} is damaged or was not written by PyTorch 1.6 or later; copy it anew",
        ) from e
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        raise ExportError(
            "checkpoint_mismatch",
            f"{path} has no {'.'.join(keys)}; name the checkpoint of the model in config.yaml",
        )
    return value


def fold_weight_norm(state: State) -> State:
    """weight_g and weight_v of weight norm multiplied out; the norm is over all but axis 0."""
    out = dict(state)
    for name in [n for n in state if n.endswith("weight_g")]:
        stem = name.removesuffix("_g")
        g, v = out.pop(name), out.pop(stem + "_v")
        norm = v.flatten(1).norm(dim=1).view(-1, *[1] * (v.dim() - 1))
        out[stem] = g * v / norm
    return out


def generator_config(params: dict[str, Any]) -> GeneratorConfig:
    """Our config from KAN-TTS's `Generator.params`."""
    source = params.get("nsf_params")
    return GeneratorConfig(
        in_channels=params["in_channels"],
        channels=params["channels"],
        kernel_size=params["kernel_size"],
        upsample_scales=tuple(params["upsample_scales"]),
        upsample_kernels=tuple(params["upsample_kernal_sizes"]),
        resblock_kernels=tuple(params["resblock_kernel_sizes"]),
        resblock_dilations=tuple(tuple(d) for d in params["resblock_dilations"]),
        causal=params["causal"],
        slope=params["nonlinear_activation_params"]["negative_slope"],
        source=source and SourceConfig(source["nb_harmonics"], source["sampling_rate"]),
    )


def load_generator(folder: Path) -> Generator:
    """A HiFi-GAN generator from a KAN-TTS voc folder, in eval mode.

    Raises:
        ExportError: any code that starts with config or checkpoint.
    """
    params = model_params(folder, "Generator")
    state = read_checkpoint(folder, "model", "generator")
    with _fitting(folder):
        model = Generator(generator_config(params))
        model.load_state_dict(fold_weight_norm(state))
    return model.eval()


def vocabulary_of(state: State) -> Vocabulary:
    """Table sizes from the embeddings of a SAMBERT state."""

    def rows(name: str) -> int:
        return len(state[name]) if name in state else 0

    return Vocabulary(
        sy=rows("text_encoder.sy_emb.weight"),
        tone=rows("text_encoder.tone_emb.weight"),
        syllable_flag=rows("text_encoder.syllable_flag_emb.weight"),
        word_segment=rows("text_encoder.ws_emb.weight"),
        emotion=rows("emo_tokenizer.weight"),
        speaker=rows("spk_tokenizer.weight"),
    )


def load_sambert(folder: Path) -> Sambert:
    """SAMBERT from a KAN-TTS am folder, in eval mode.

    Raises:
        ExportError: any code that starts with config or checkpoint.
    """
    params = model_params(folder, "KanTtsSAMBERT")
    state = read_checkpoint(folder, "model")
    with _fitting(folder):
        model = Sambert(params, vocabulary_of(state))
        model.load_state_dict(state)
    return model.eval()
