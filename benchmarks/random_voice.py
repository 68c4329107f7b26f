"""Voices with random weights: tiny ones for tests, full-size ones to time.

They speak noise, at the pace and with the sizes of a real voice.
`python -m benchmarks.random_voice OUT` writes a full-size one as a voice pack.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from engines.text.symbols import SymbolTable
from training.presets import sambert_params
from training.source import trained_source
from trt_build.calibration import CALIBRATION
from trt_build.export.hifigan import Generator, GeneratorConfig, SourceConfig
from trt_build.export.pack import VoiceCard, export_voice
from trt_build.export.sambert import Sambert, Vocabulary

SAMPLE_RATE = 16_000
FRAMES_PER_SYMBOL = 8.0
SPEAKERS = ("F7", "F74")


@dataclass(frozen=True, slots=True)
class Models:
    """Both models in eval mode and the symbols they know."""

    sambert: Sambert
    generator: Generator
    table: SymbolTable


def _models(params: dict[str, object], generator: GeneratorConfig, seed: int) -> Models:
    torch.manual_seed(seed)
    table = SymbolTable.default(speakers=SPEAKERS)
    sambert = Sambert(params, Vocabulary(*table.sizes)).eval()
    predictor = sambert.variance_adaptor.duration_predictor
    with torch.no_grad():
        predictor.fc.weight.mul_(0.3)
        predictor.fc.bias.fill_(torch.log(torch.tensor(FRAMES_PER_SYMBOL + 1.0)).item())
    return Models(sambert, Generator(generator).eval(), table)


def full_size(seed: int = 0) -> Models:
    """The sizes of KAN-TTS's public sambert_16k.yaml and hifigan_v1_16k.yaml."""
    params = sambert_params(num_mels=80, NSF=False, pnca_band=0)
    generator = GeneratorConfig(
        in_channels=80,
        channels=256,
        kernel_size=7,
        upsample_scales=(10, 5, 2, 2),
        upsample_kernels=(20, 10, 4, 4),
        resblock_kernels=(3, 7, 11),
        resblock_dilations=((1, 3, 5, 7),) * 3,
        causal=True,
    )
    return _models(params, generator, seed)


def tiny(seed: int = 0, *, nsf: bool = True) -> Models:
    """A voice of a few hundred kilobytes with every kind of layer."""
    params = sambert_params(
        embedding_dim=32,
        encoder_num_layers=2,
        encoder_num_heads=2,
        encoder_num_units=16,
        encoder_ffn_inner_dim=32,
        predictor_num_memory_units=16,
        predictor_ffn_inner_dim=32,
        predictor_lstm_units=16,
        dur_pred_prenet_units=[16, 16],
        dur_pred_lstm_units=16,
        decoder_prenet_units=[16, 16],
        decoder_num_layers=2,
        decoder_num_heads=2,
        decoder_num_units=16,
        decoder_ffn_inner_dim=32,
        postnet_num_memory_units=16,
        postnet_ffn_inner_dim=32,
        postnet_lstm_units=16,
        num_mels=82 if nsf else 80,
        NSF=nsf,
        pnca_band=6 if nsf else 0,
    )
    generator = GeneratorConfig(
        in_channels=80,
        channels=16,
        kernel_size=7,
        upsample_scales=(10, 5, 2, 2),
        upsample_kernels=(20, 10, 4, 4),
        resblock_kernels=(3,),
        resblock_dilations=((1, 3),),
        causal=True,
        source=SourceConfig(7, SAMPLE_RATE) if nsf else None,
    )
    return _models(params, generator, seed)


def write(models: Models, out: Path, name: str) -> Path:
    """Write the models as a voice pack."""
    source = trained_source(250.0, 50.0) if models.generator.config.source else None
    export_voice(
        out,
        card=VoiceCard(name, "zh-CN", "MIT"),
        sambert=models.sambert,
        generator=models.generator,
        table=models.table,
        source=source,
        statistics={},
        sample_rate=SAMPLE_RATE,
    )
    shutil.copy(CALIBRATION, out)
    return out


if __name__ == "__main__":
    (folder,) = sys.argv[1:] or sys.exit("say where to: python -m benchmarks.random_voice OUT")
    write(full_size(), Path(folder), "random")
