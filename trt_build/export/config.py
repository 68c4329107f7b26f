"""KAN-TTS's config.yaml: read without running anything in it, and refused where no model fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from trt_build.export.errors import ExportError
from trt_build.export.hifigan import GeneratorConfig, SourceConfig

CONFIG = "config.yaml"
# What yaml's constructors let through of scalars that are not of their tag.
_NO_YAML = (
    yaml.YAMLError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
LARGEST = 100_000  # of any size in a config
FEATURES = ("sy", "tone", "syllable_flag", "word_segment", "emo_category", "speaker_category")

# KAN-TTS's training writes its configs with yaml.dump, which has a tag of its own for tuples.
_LOADER: Any = type("ConfigLoader", (yaml.SafeLoader,), {})
_LOADER.add_constructor(
    "tag:yaml.org,2002:python/tuple", lambda loader, node: loader.construct_sequence(node)
)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping; tags that would make Python objects are refused.

    Raises:
        ExportError: config_unreadable, cannot_read.
    """
    try:
        config: Any = yaml.load(path.read_text("utf-8"), _LOADER)
    except OSError as e:
        raise ExportError(
            "cannot_read", f"cannot read {path}: {e.strerror}; see that you may read it"
        ) from e
    except _NO_YAML as e:
        raise ExportError("config_unreadable", f"{path} is not YAML; mend it: {e}") from e
    if not isinstance(config, dict):
        raise ExportError("config_unreadable", f"{path} is no mapping; copy the voice's anew")
    return config


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config.yaml.

    Raises:
        ExportError: config_missing, config_unreadable.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise ExportError(
            "config_missing", f"{path} does not exist; name a KAN-TTS am or voc model folder"
        )
    return read_yaml(path)


def entry(config: Any, *keys: str) -> Any:
    """The value under these keys; None where one is missing."""
    for key in keys:
        config = config.get(key) if isinstance(config, dict) else None
    return config


def model_params(folder: Path, model: str) -> dict[str, Any]:
    """`Model.<model>.params` of the folder's config.yaml.

    Raises:
        ExportError: config_missing, config_unreadable, config_incomplete.
    """
    value = entry(read_config(folder), "Model", model, "params")
    if not isinstance(value, dict):
        raise ExportError(
            "config_incomplete",
            f"{folder / CONFIG} has no Model.{model}.params; name the folder of that model",
        )
    _check_sizes(folder / CONFIG, value)
    return value


def _check_sizes(path: Path, params: Any, name: str = "") -> None:
    """Refuse whole numbers no model has, before memory is taken for them."""
    if isinstance(params, dict):
        for key, value in params.items():
            _check_sizes(path, value, f"{key}")
    elif isinstance(params, list):
        for value in params:
            _check_sizes(path, value, name)
    elif type(params) is int and not 0 <= params <= LARGEST:
        raise ExportError(
            "config_unreadable",
            f"{path} has {name}: {params}, which is not within 0 and {LARGEST}; copy the voice's "
            "anew",
        )


def acoustic_params(folder: Path) -> dict[str, Any]:
    """`Model.KanTtsSAMBERT.params` of an am folder that reads symbols.

    Raises:
        ExportError: as `model_params`; sybert, byte_input, features_unknown.
    """
    path, config = folder / CONFIG, read_config(folder)
    if entry(config, "Model", "KanTtsTextsyBERT") and not entry(config, "Model", "KanTtsSAMBERT"):
        raise ExportError(
            "sybert",
            f"{path} is of a sybert model, which only prepares the training of an acoustic model "
            "and cannot speak; name the folder of a sambert model",
        )
    params = model_params(folder, "KanTtsSAMBERT")
    named = entry(config, "linguistic_unit", "lfeat_type_list")
    features = tuple(n.strip() for n in named.split(",")) if isinstance(named, str) else FEATURES
    if params.get("using_byte") or "byte_index" in features:
        raise ExportError(
            "byte_input",
            f"{path} is of a model that reads bytes of text (byte_index), for which there is no "
            f"front end here; take or train one with lfeat_type_list: {','.join(FEATURES)}",
        )
    if features != FEATURES:
        raise ExportError(
            "features_unknown",
            f"{path} has lfeat_type_list: {','.join(features)}; only voices with "
            f"{','.join(FEATURES)} can be read",
        )
    return params


def generator_params(folder: Path) -> dict[str, Any]:
    """`Model.Generator.params` of a voc folder whose layers are known here.

    Raises:
        ExportError: as `model_params`; subbands, layer_unknown.
    """
    params = model_params(folder, "Generator")
    path = folder / CONFIG
    bands = params.get("out_channels", 1)
    if bands != 1:
        raise ExportError(
            "subbands",
            f"{path} is of a vocoder that writes {bands} sub-bands (out_channels) for a PQMF "
            "filter bank, which is not known here; take a vocoder with out_channels: 1",
        )
    unknown = None
    if params.get("nonlinear_activation", "LeakyReLU") != "LeakyReLU":
        unknown = f"nonlinear_activation: {params['nonlinear_activation']} (known: LeakyReLU)"
    elif not params.get("repeat_upsample", True):
        unknown = "repeat_upsample: false (known: true)"
    if unknown:
        raise ExportError(
            "layer_unknown", f"{path} has {unknown}; take a vocoder of KAN-TTS's own configs"
        )
    return params


def generator_config(params: dict[str, Any]) -> GeneratorConfig:
    """Our config from KAN-TTS's `Generator.params`.

    Raises:
        ExportError: layer_unknown.
    """
    source = params.get("nsf_params")
    config = GeneratorConfig(
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
    if min(config.upsample_scales, default=0) < 1:
        raise ValueError("upsample_scales must be 1 at least")
    for scale, kernel in zip(config.upsample_scales, config.upsample_kernels, strict=False):
        if kernel < scale:
            raise ExportError(
                "layer_unknown",
                f"an upsampling by {scale} has a kernel of {kernel} (upsample_kernal_sizes), which "
                "leaves samples out; kernels must be as long as their scale at least",
            )
    even = [k for k in (config.kernel_size, *config.resblock_kernels) if k % 2 == 0]
    if even:
        raise ExportError(
            "layer_unknown",
            f"a convolution has an even kernel of {even[0]}; KAN-TTS's vocoders have odd ones",
        )
    return config
