from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import yaml

from training import handover
from training.export import load_models, symbol_table
from training.features import HOP
from training.script import SPEAKER, word_symbols
from training.source import harmonics
from training.stages import Recipe
from trt_build.export.checkpoint import generator_config, load_generator, load_sambert


def test_our_acoustic_model_loads_as_a_kantts_folder(trained: Recipe, tmp_path: Path) -> None:
    model, step, _, _ = load_models(trained.out, trained.sizes)
    stats = trained.corpus().stats
    handover.write_acoustic(tmp_path, model, stats, step, SPEAKER)
    assert (tmp_path / "ckpt" / f"checkpoint_{step}.pth").is_file()
    assert np.load(tmp_path / "mvn.npy").ravel().tolist() == [
        np.float32(stats.f0_mean),
        np.float32(stats.f0_std),
    ]
    loaded = load_sambert(tmp_path)
    for weight in model.parameters():
        if weight.requires_grad:  # position tables are exact
            weight.data = weight.data.half().float()
    assert loaded.vocabulary == model.vocabulary
    assert loaded.params == model.params
    ids = torch.from_numpy(symbol_table().encode(word_symbols(("ni2", "hao3"))))[None]
    durations = torch.full((1, ids.shape[1]), 5.0)
    hidden = [m.text_encoder(ids[..., :4]) for m in (model, loaded)]
    assert torch.equal(*hidden)
    spk, emo = model.spk_tokenizer(ids[..., 5]), model.emo_tokenizer(ids[..., 4])
    assert torch.equal(*(m.memory(hidden[0], spk, emo, durations)[0] for m in (model, loaded)))
    frames = torch.ones(1, 30, model.num_mels)
    assert torch.equal(*(m.mel_postnet(frames) for m in (model, loaded)))


def test_our_generator_loads_as_a_kantts_folder(trained: Recipe, tmp_path: Path) -> None:
    _, _, model, step = load_models(trained.out, trained.sizes)
    handover.write_vocoder(tmp_path, model, step)
    loaded, model = load_generator(tmp_path), model.half().float()
    assert loaded.config == model.config
    mel, f0 = torch.randn(1, 80, 6), torch.full((1, 6), 220.0)
    excitation = model.source_module(harmonics(f0, torch.ones(1, 6), 15, HOP, 16_000))
    with torch.no_grad():
        assert torch.equal(model(mel, excitation), loaded(mel, excitation))


def test_generator_params_read_back(trained: Recipe) -> None:
    config = trained.sizes.vocoder.generator
    written = yaml.safe_load(yaml.safe_dump(handover.generator_params(config)))
    assert generator_config(written) == config
