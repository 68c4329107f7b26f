"""Sizes and lengths of a training.

`small` fits two CPU cores, `full` is KAN-TTS's own and wants a GPU, `tiny` learns nothing: it runs
every stage in seconds, for tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.features import N_MELS, SAMPLE_RATE
from trt_build.export.hifigan import GeneratorConfig, SourceConfig


@dataclass(frozen=True, slots=True)
class VocoderPreset:
    """How the vocoder is built and trained; lengths in steps, segments in mel frames."""

    generator: GeneratorConfig
    batch: int
    adversarial_batch: int
    segment: int
    spectral_steps: int
    adversarial_steps: int
    rate: float
    adversarial_rate: float
    mpd_width: int
    msd_width: int
    disc_limit: int
    sample_every: int = 500


@dataclass(frozen=True, slots=True)
class AcousticPreset:
    """How SAMBERT is built (KAN-TTS's parameter names) and trained; lengths in steps.

    batch_frames: about how many mel frames are in a batch.
    """

    params: dict[str, Any]
    align_steps: int
    steps: int
    batch_frames: int
    rate: float
    sample_every: int = 1000
    align_batch: int = 32


@dataclass(frozen=True, slots=True)
class Preset:
    """A whole voice.

    pace: at which the exported voice speaks, as a multiple of the pace it learned. Words read from
    a list are slow, and so are the phrases made of them.
    """

    vocoder: VocoderPreset
    acoustic: AcousticPreset
    pace: float = 1.0


def _generator(
    channels: int, kernels: tuple[int, ...], dilations: tuple[int, ...]
) -> GeneratorConfig:
    return GeneratorConfig(
        in_channels=N_MELS,
        channels=channels,
        kernel_size=7,
        upsample_scales=(10, 5, 2, 2),
        upsample_kernels=(20, 10, 4, 4),
        resblock_kernels=kernels,
        resblock_dilations=(dilations,) * len(kernels),
        causal=True,
        source=SourceConfig(harmonics=15, sample_rate=SAMPLE_RATE),
    )


def sambert_params(**changes: Any) -> dict[str, Any]:
    """KAN-TTS's sambert_nsf_16k.yaml sizes with a fixed attention band, and changes."""
    full: dict[str, Any] = {
        "max_len": 800,
        "embedding_dim": 512,
        "encoder_num_layers": 8,
        "encoder_num_heads": 8,
        "encoder_num_units": 128,
        "encoder_ffn_inner_dim": 1024,
        "encoder_dropout": 0.1,
        "encoder_attention_dropout": 0.1,
        "encoder_relu_dropout": 0.1,
        "encoder_projection_units": 32,
        "speaker_units": 32,
        "emotion_units": 32,
        "predictor_filter_size": 41,
        "predictor_fsmn_num_layers": 3,
        "predictor_num_memory_units": 128,
        "predictor_ffn_inner_dim": 256,
        "predictor_dropout": 0.1,
        "predictor_shift": 0,
        "predictor_lstm_units": 128,
        "dur_pred_prenet_units": [128, 128],
        "dur_pred_lstm_units": 128,
        "decoder_prenet_units": [256, 256],
        "decoder_num_layers": 12,
        "decoder_num_heads": 8,
        "decoder_num_units": 128,
        "decoder_ffn_inner_dim": 1024,
        "decoder_dropout": 0.1,
        "decoder_attention_dropout": 0.1,
        "decoder_relu_dropout": 0.1,
        "outputs_per_step": 3,
        "num_mels": N_MELS + 2,
        "postnet_filter_size": 41,
        "postnet_fsmn_num_layers": 4,
        "postnet_num_memory_units": 256,
        "postnet_ffn_inner_dim": 512,
        "postnet_dropout": 0.1,
        "postnet_shift": 17,
        "postnet_lstm_units": 128,
        "MAS": False,
        "NSF": True,
        "pnca_band": 12,
        "nsf_norm_type": "mean_std",
    }
    return full | changes


PRESETS = {
    # Steps as the built-in voice was trained: what two cores do in about two hours.
    "small": Preset(
        VocoderPreset(
            generator=_generator(128, (3, 7), (1, 3, 5)),
            batch=12,
            adversarial_batch=6,
            segment=48,
            spectral_steps=2050,
            adversarial_steps=2350,
            rate=1e-3,
            adversarial_rate=4e-4,
            mpd_width=8,
            msd_width=16,
            disc_limit=128,
        ),
        AcousticPreset(
            params=sambert_params(
                embedding_dim=256,
                encoder_num_layers=4,
                encoder_ffn_inner_dim=512,
                decoder_num_layers=6,
                decoder_ffn_inner_dim=512,
                decoder_prenet_units=[128, 128],
                predictor_num_memory_units=64,
                predictor_ffn_inner_dim=128,
                predictor_lstm_units=64,
                dur_pred_prenet_units=[64, 64],
                dur_pred_lstm_units=64,
                postnet_num_memory_units=128,
                postnet_ffn_inner_dim=256,
                postnet_lstm_units=96,
            ),
            align_steps=2500,
            steps=6200,
            batch_frames=1900,
            rate=1e-3,
        ),
        pace=1.1,
    ),
    "full": Preset(
        VocoderPreset(
            generator=_generator(256, (3, 7, 11), (1, 3, 5, 7)),
            batch=16,
            adversarial_batch=16,
            segment=60,
            spectral_steps=20_000,
            adversarial_steps=400_000,
            rate=5e-4,
            adversarial_rate=2e-4,
            mpd_width=32,
            msd_width=128,
            disc_limit=1024,
        ),
        AcousticPreset(
            params=sambert_params(),
            align_steps=5000,
            steps=200_000,
            batch_frames=24_000,
            rate=1e-3,
        ),
        pace=1.1,
    ),
    "tiny": Preset(
        VocoderPreset(
            generator=_generator(16, (3,), (1, 3)),
            batch=2,
            adversarial_batch=2,
            segment=24,
            spectral_steps=4,
            adversarial_steps=4,
            rate=1e-3,
            adversarial_rate=2e-4,
            mpd_width=2,
            msd_width=16,
            disc_limit=32,
            sample_every=4,
        ),
        AcousticPreset(
            params=sambert_params(
                embedding_dim=32,
                encoder_num_layers=1,
                encoder_num_heads=2,
                encoder_num_units=32,
                encoder_ffn_inner_dim=32,
                decoder_num_layers=1,
                decoder_num_heads=2,
                decoder_num_units=32,
                decoder_ffn_inner_dim=32,
                decoder_prenet_units=[32, 32],
                predictor_fsmn_num_layers=1,
                predictor_num_memory_units=16,
                predictor_ffn_inner_dim=16,
                predictor_lstm_units=16,
                dur_pred_prenet_units=[16, 16],
                dur_pred_lstm_units=16,
                postnet_fsmn_num_layers=1,
                postnet_num_memory_units=16,
                postnet_ffn_inner_dim=16,
                postnet_lstm_units=16,
            ),
            align_steps=12,
            align_batch=4,
            steps=8,
            batch_frames=192,
            rate=1e-3,
            sample_every=4,
        ),
    ),
}
