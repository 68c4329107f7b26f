"""KAN-TTS's config.yaml: read without running anything in it, and refused where no model fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from trt_build.export.errors import ExportError
from trt_build.export.hifigan import GeneratorConfig, SourceConfig
from trt_build.export.params import AcousticParams, GeneratorParams, fault, missing

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
LARGEST = 4 << 20  # bytes; KAN-TTS's configs have some thousands
MOST = 100_000  # values, each counted as often as it is referred to
LONGEST = 64  # bits of a whole number
LARGEST_HOP = 9600  # samples; 0.2 s at 48 kHz
KNOWN_LAYERS = {"nonlinear_activation": "LeakyReLU", "repeat_upsample": True, "bias": True}
FEATURES = ("sy", "tone", "syllable_flag", "word_segment", "emo_category", "speaker_category")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """Plain values, and the tuples that KAN-TTS's training writes with yaml.dump."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge keys, which multiply what is read and which no config of KAN-TTS has."""
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, "merge keys (<<) are not read here", key.start_mark
                )


_Loader.add_constructor(
    "tag:yaml.org,2002:python/tuple", lambda loader, node: loader.construct_sequence(node)
)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping; tags that would make Python objects are refused.

    Raises:
        ExportError: config_unreadable, cannot_read.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it has more than {LARGEST >> 20} MiB")
        config: Any = yaml.load(path.read_text("utf-8"), _Loader)
    except OSError as e:
        raise ExportError(
            "cannot_read", f"cannot read {path}: {e.strerror}; see that you may read it"
        ) from e
    except _NO_YAML as e:
        told = " ".join(str(e).split())
        raise ExportError("config_unreadable", f"{path} is not YAML; mend it: {told}") from e
    if not isinstance(config, dict) or not _is_plain(config):
        raise ExportError(
            "config_unreadable",
            f"{path} is no mapping of plain values, {MOST} at most; copy the voice's anew",
        )
    return config


def _is_plain(config: Any) -> bool:
    """Whether aliases unfold to an end that is near, and every number can be shown."""
    waiting, left = [config], MOST
    while waiting and len(waiting) <= left:
        value, left = waiting.pop(), left - 1
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, (list, tuple, set)):
            waiting += value
        elif isinstance(value, int) and value.bit_length() > LONGEST:
            return False
    return not waiting


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


def model_params(folder: Path, model: str, kind: type[msgspec.Struct]) -> dict[str, Any]:
    """`Model.<model>.params` of the folder's config.yaml, of the types and ranges of `kind`.

    Raises:
        ExportError: config_missing, config_unreadable, config_incomplete.
    """
    value = entry(read_config(folder), "Model", model, "params")
    if not isinstance(value, dict):
        raise ExportError(
            "config_incomplete",
            f"{folder / CONFIG} has no Model.{model}.params; name the folder of that model",
        )
    if lacking := missing(value, kind):
        raise ExportError(
            "config_incomplete",
            f"{folder / CONFIG} lacks Model.{model}.params.{lacking[0]}; copy the voice's anew",
        )
    if wrong := fault(value, kind):
        raise ExportError(
            "config_unreadable",
            f"{folder / CONFIG} has a value no model can be made with; copy the voice's anew: "
            f"{wrong}",
        )
    return value


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
    named = entry(config, "linguistic_unit", "lfeat_type_list")
    features = tuple(n.strip() for n in named.split(",")) if isinstance(named, str) else FEATURES
    if entry(config, "Model", "KanTtsSAMBERT", "params", "using_byte") or "byte_index" in features:
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
    return model_params(folder, "KanTtsSAMBERT", AcousticParams)


def generator_params(folder: Path) -> dict[str, Any]:
    """`Model.Generator.params` of a voc folder whose layers are known here.

    Raises:
        ExportError: as `model_params`; subbands, layer_unknown.
    """
    path = folder / CONFIG
    params = entry(read_config(folder), "Model", "Generator", "params") or {}
    bands = entry(params, "out_channels")
    if bands not in (None, 1):
        raise ExportError(
            "subbands",
            f"{path} is of a vocoder that writes {bands} sub-bands (out_channels) for a PQMF "
            "filter bank, which is not known here; take a vocoder with out_channels: 1",
        )
    for name, known in KNOWN_LAYERS.items():
        if (value := entry(params, name)) not in (None, known):
            raise ExportError(
                "layer_unknown",
                f"{path} has {name}: {value} (known: {known}); take a vocoder of KAN-TTS's own "
                "configs",
            )
    return model_params(folder, "Generator", GeneratorParams)


def generator_config(params: dict[str, Any]) -> GeneratorConfig:
    """Our config from KAN-TTS's `Generator.params`.

    Raises:
        ExportError: layer_unknown.
        ValueError: the scales make no frame.
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
        slope=float(params["nonlinear_activation_params"]["negative_slope"]),
        source=source and SourceConfig(source["nb_harmonics"], source["sampling_rate"]),
    )
    if not 0 < config.hop_length <= LARGEST_HOP:
        raise ValueError(f"upsample_scales make {config.hop_length} samples of a frame")
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
