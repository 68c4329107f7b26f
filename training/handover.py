"""Trained models as KAN-TTS model folders: config.yaml and ckpt/checkpoint_N.pth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from training.corpus import Stats
from trt_build.export.hifigan import Generator, GeneratorConfig
from trt_build.export.sambert import Sambert


def write_acoustic(folder: Path, model: Sambert, stats: Stats, step: int, speaker: str) -> None:
    """Write SAMBERT as KAN-TTS's `am` folder, with mvn.npy (mean and deviation of f0 in Hz)."""
    config = {
        "model_type": "sambert",
        "Model": {"KanTtsSAMBERT": {"params": model.params}},
        "linguistic_unit": {
            "cleaners": "english_cleaners",
            "lfeat_type_list": "sy,tone,syllable_flag,word_segment,emo_category,speaker_category",
            "speaker_list": speaker,
        },
    }
    _write(folder, config, {"model": model.state_dict()}, step)
    np.save(folder / "mvn.npy", np.array([[stats.f0_mean], [stats.f0_std]], np.float32))


def write_vocoder(folder: Path, model: Generator, step: int) -> None:
    """Write the generator as KAN-TTS's `voc` folder, weight norm folded in."""
    config = {
        "model_type": "hifigan",
        "Model": {"Generator": {"params": generator_params(model.config)}},
    }
    _write(folder, config, {"model": {"generator": model.state_dict()}}, step)


def generator_params(config: GeneratorConfig) -> dict[str, Any]:
    """KAN-TTS's `Generator.params` of a generator of ours."""
    params: dict[str, Any] = {
        "in_channels": config.in_channels,
        "out_channels": 1,
        "channels": config.channels,
        "kernel_size": config.kernel_size,
        "upsample_scales": list(config.upsample_scales),
        "upsample_kernal_sizes": list(config.upsample_kernels),
        "resblock_kernel_sizes": list(config.resblock_kernels),
        "resblock_dilations": [list(d) for d in config.resblock_dilations],
        "bias": True,
        "causal": config.causal,
        "nonlinear_activation": "LeakyReLU",
        "nonlinear_activation_params": {"negative_slope": config.slope},
        "use_weight_norm": False,
    }
    if config.source is not None:
        params["nsf_params"] = {
            "nb_harmonics": config.source.harmonics,
            "sampling_rate": config.source.sample_rate,
        }
    return params


def _write(folder: Path, config: dict[str, Any], state: dict[str, Any], step: int) -> None:
    """Weights in float16, which halves the files; loading casts them back."""
    (folder / "ckpt").mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    torch.save(_halved(state), folder / "ckpt" / f"checkpoint_{step}.pth")


def _halved(state: Any) -> Any:
    if isinstance(state, torch.Tensor):
        return state.half() if state.is_floating_point() else state
    return {name: _halved(part) for name, part in state.items()}
