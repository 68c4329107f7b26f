"""KAN-TTS model folders: config.yaml and ckpt/checkpoint_N.pth, read without running any of their code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from trt_build.export.hifigan import Generator, GeneratorConfig, SourceConfig
from trt_build.export.sambert import Sambert, Vocabulary

State = dict[str, Tensor]


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config.yaml."""
    config: dict[str, Any] = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
    return config


def newest_checkpoint(folder: Path) -> Path:
    """The checkpoint with the highest step.

    Raises:
        FileNotFoundError: there is none.
    """
    found = sorted(
        (folder / "ckpt").glob("checkpoint_*.pth"),
        key=lambda p: int(re.sub(r"\D", "", p.stem) or 0),
    )
    if not found:
        raise FileNotFoundError(f"{folder / 'ckpt'} holds no checkpoint_N.pth")
    return found[-1]


def fold_weight_norm(state: State) -> State:
    """weight_g and weight_v of weight norm multiplied out into weight (norm over all but axis 0)."""
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
    """A HiFi-GAN generator from a KAN-TTS voc folder, in eval mode."""
    model = Generator(generator_config(read_config(folder)["Model"]["Generator"]["params"]))
    loaded = torch.load(newest_checkpoint(folder), map_location="cpu", weights_only=True)
    model.load_state_dict(fold_weight_norm(loaded["model"]["generator"]))
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
    """SAMBERT from a KAN-TTS am folder, in eval mode."""
    loaded = torch.load(newest_checkpoint(folder), map_location="cpu", weights_only=True)
    state: State = loaded["model"]
    model = Sambert(read_config(folder)["Model"]["KanTtsSAMBERT"]["params"], vocabulary_of(state))
    model.load_state_dict(state)
    return model.eval()
