"""What the parameters of KAN-TTS's models may be: a type and a range for each that is read here.

The ranges are wide, and only keep a config from asking for a model no machine can hold.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Units = Annotated[int, Meta(ge=1, le=8192)]
Layers = Annotated[int, Meta(ge=1, le=128)]
Heads = Annotated[int, Meta(ge=1, le=256)]
Taps = Annotated[int, Meta(ge=1, le=1024)]
Shift = Annotated[int, Meta(ge=0, le=1024)]
Chance = Annotated[float, Meta(ge=0.0, le=1.0)]
Prenet = Annotated[list[Units], Meta(min_length=1, max_length=16)]
Scale = Annotated[int, Meta(ge=1, le=2048)]
Dilations = Annotated[list[Taps], Meta(min_length=1, max_length=16)]


class AcousticParams(msgspec.Struct):
    """`Model.KanTtsSAMBERT.params`."""

    max_len: Annotated[int, Meta(ge=1, le=10_000)]
    embedding_dim: Annotated[int, Meta(ge=4, le=4096, multiple_of=2)]
    encoder_num_layers: Layers
    encoder_num_heads: Heads
    encoder_num_units: Units
    encoder_ffn_inner_dim: Units
    encoder_dropout: Chance
    encoder_projection_units: Units
    speaker_units: Units
    emotion_units: Units
    predictor_filter_size: Taps
    predictor_fsmn_num_layers: Layers
    predictor_num_memory_units: Units
    predictor_ffn_inner_dim: Units
    predictor_dropout: Chance
    predictor_shift: Shift
    predictor_lstm_units: Units
    dur_pred_prenet_units: Prenet
    dur_pred_lstm_units: Units
    decoder_prenet_units: Prenet
    decoder_num_layers: Layers
    decoder_num_heads: Heads
    decoder_num_units: Units
    decoder_ffn_inner_dim: Units
    decoder_dropout: Chance
    outputs_per_step: Annotated[int, Meta(ge=1, le=64)]
    num_mels: Annotated[int, Meta(ge=1, le=2048)]
    postnet_filter_size: Taps
    postnet_fsmn_num_layers: Layers
    postnet_num_memory_units: Units
    postnet_ffn_inner_dim: Units
    postnet_dropout: Chance
    postnet_shift: Shift
    postnet_lstm_units: Units
    pnca_band: Annotated[int, Meta(ge=0, le=4096)] = 0
    SE: bool = False

    def __post_init__(self) -> None:
        for part in ("encoder", "decoder"):
            heads, units = getattr(self, f"{part}_num_heads"), getattr(self, f"{part}_num_units")
            if units % heads:
                raise ValueError(f"{part}_num_units: {units} are not shared by {heads} heads")


class Slope(msgspec.Struct):
    """`nonlinear_activation_params`."""

    negative_slope: Annotated[float, Meta(ge=-100.0, le=100.0)]


class Harmonics(msgspec.Struct):
    """`nsf_params`."""

    nb_harmonics: Annotated[int, Meta(ge=0, le=1024)]
    sampling_rate: Annotated[int, Meta(ge=1000, le=192_000)]


class GeneratorParams(msgspec.Struct):
    """`Model.Generator.params`."""

    in_channels: Annotated[int, Meta(ge=1, le=2048)]
    channels: Units
    kernel_size: Taps
    upsample_scales: Annotated[list[Scale], Meta(min_length=1, max_length=16)]
    upsample_kernal_sizes: Annotated[list[Taps], Meta(min_length=1, max_length=16)]
    resblock_kernel_sizes: Annotated[list[Taps], Meta(min_length=1, max_length=16)]
    resblock_dilations: Annotated[list[Dilations], Meta(min_length=1, max_length=16)]
    causal: bool
    nonlinear_activation_params: Slope
    nsf_params: Harmonics | None = None


def missing(params: dict[str, Any], kind: type[msgspec.Struct]) -> list[str]:
    """Names that are not there and have no default."""
    fields = msgspec.structs.fields(kind)
    return [f.name for f in fields if f.required and f.name not in params]


def fault(params: dict[str, Any], kind: type[msgspec.Struct]) -> str | None:
    """What is wrong with a value of `params`, and where; None where all is well."""
    try:
        msgspec.convert(params, kind)
    except msgspec.ValidationError as error:
        return str(error).replace("$", "params")
    return None
