"""Training output of KAN-TTS as it lies about: any names, parts of training, an earlier pack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import random_voice
from engines.pack import VoicePack
from engines.voice import Voice
from tests.trt_build.kantts_voices import (
    KANTTS,
    change_config,
    change_params,
    change_state,
    model,
)
from trt_build.__main__ import main


@pytest.fixture(scope="module")
def from_training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """KAN-TTS's training output with a MAS aligner and filled pauses, over an earlier pack."""
    root = tmp_path_factory.mktemp("training")
    am = model("sambert_nsf_16k", root / "work" / "my_sambert_ckpt")
    voc = model("hifigan_v1_nsf_24k", root / "work" / "stage2" / "gan")
    change_params(am, MAS=True, FP=True, pnca_band=9)
    change_config(voc, lambda c: c.update(audio_config={"sampling_rate": 24000, "hop_length": 240}))
    change_state(
        am,
        lambda state: state.update(
            {
                "align_attention.key_proj.0.conv.weight": torch.ones(4),
                "FP_predictor.fc.bias": torch.ones(4),
            }
        ),
    )
    out = root / "voices" / "mine"
    random_voice.write(random_voice.tiny(), out, "earlier")
    (out / "LICENSE").write_text("mine", "utf-8")
    assert main(["import", str(root / "work"), "--out", str(out), "--name", "newer"]) == 0
    return out


def test_training_output_under_any_names(from_training: Path) -> None:
    file = VoicePack(from_training).file
    assert file.name == "newer"
    assert (file.sample_rate, file.hop_length, file.acoustic.mels) == (24_000, 240, 82)
    assert (file.acoustic.band, file.acoustic.window) == (9, 10)
    assert file.source is not None
    mean, std = np.load(KANTTS / "sambert_nsf_16k" / "mvn.npy").ravel()
    assert (file.source.f0_mean, file.source.f0_std) == pytest.approx((mean, std))
    with Voice.load(from_training) as voice:
        assert sum(len(chunk.pcm) for chunk in voice.stream(voice.plan("你好。"))) > 0


def test_what_is_left_out_is_said(from_training: Path) -> None:
    card = (from_training / "README.md").read_text("utf-8")
    assert "align_attention" in card
    assert "filled pauses" in card
    assert "mvn.npy" in card


def test_a_second_import_keeps_what_was_put_beside(from_training: Path) -> None:
    assert (from_training / "LICENSE").read_text("utf-8") == "mine"
    assert [path.name for path in from_training.parent.iterdir()] == ["mine"]
