"""How an acoustic model writes f0, and whether its frames fit the vocoder."""

from __future__ import annotations

from typing import Any

from trt_build.export.config import CONFIG
from trt_build.export.errors import ExportError
from trt_build.export.hifigan import Generator
from trt_build.export.pack import SourceStats
from trt_build.export.sambert import Sambert
from trt_build.importing.layout import ModelFolder
from trt_build.importing.numbers import read_numbers

MVN = "mvn.npy"
MEAN_STD = "mean_std"
F0_MIN, F0_MAX = 30.0, 730.0  # KAN-TTS's defaults of global normalisation, Hz
F0_MOST, LOWEST = 10_000.0, 1e-3  # Hz; no voice goes beyond
F0_AND_VOICING = 2  # values per frame beside the mel


def check_frames(sambert: Sambert, generator: Generator) -> None:
    """Refuse a pair whose frames do not fit.

    Raises:
        ExportError: mel_mismatch.
    """
    nsf, mels = generator.config.source is not None, generator.config.in_channels
    wanted = mels + F0_AND_VOICING * nsf
    if sambert.num_mels == wanted:
        return
    kind = "with a neural source filter, " if nsf else ""
    takes = f"{mels} mel bins" + (" and f0 and voicing" if nsf else "")
    raise ExportError(
        "mel_mismatch",
        f"the acoustic model makes {sambert.num_mels} values per frame, the vocoder ({kind}"
        f"in_channels: {mels}) takes {wanted}: {takes}; take two that were trained together",
    )


def source_stats(
    am: ModelFolder, params: dict[str, Any], generator: Generator
) -> SourceStats | None:
    """f0's normalisation and the excitation of KAN-TTS; None for a voice without NSF.

    Raises:
        ExportError: f0_missing, config_unreadable.
    """
    if generator.config.source is None:
        return None
    kind = params.get("nsf_norm_type", MEAN_STD)
    if kind == MEAN_STD:
        mean, std = _mean_std(am)
    elif kind == "global":
        mean, std = _bounds(am, params)
    else:
        raise ExportError(
            "config_unreadable",
            f"{am.folder} has nsf_norm_type: {kind!r}; KAN-TTS knows mean_std and global",
        )
    # KAN-TTS: SourceModule's defaults and the threshold of its inference.
    return SourceStats(mean, std, coupled=False, alpha=0.1, sigma=0.003, voicing_threshold=0.6)


def _bounds(am: ModelFolder, params: dict[str, Any]) -> tuple[float, float]:
    """The lower bound of f0, and how far the upper one is from it."""
    low = params.get("nsf_f0_global_minimum", F0_MIN)
    high = params.get("nsf_f0_global_maximum", F0_MAX)
    if all(isinstance(v, (int, float)) for v in (low, high)) and 0 <= low < high < float("inf"):
        return float(low), float(high - low)
    raise ExportError(
        "config_unreadable",
        f"{am.folder / CONFIG} has nsf_f0_global_minimum: {low!r} and nsf_f0_global_maximum: "
        f"{high!r}, which are no range in Hz; copy the voice's anew",
    )


def _mean_std(am: ModelFolder) -> tuple[float, float]:
    path = am.folder / MVN
    try:
        mean, std = read_numbers(path, 2).tolist()
    except (OSError, ValueError) as e:
        raise ExportError(
            "f0_missing",
            f"cannot read the mean and deviation of f0 (2, 1) from {path} ({e}); copy the {MVN} "
            "that came with the voice, or that KAN-TTS made of its recordings, into the am folder",
        ) from e
    if not LOWEST <= std <= F0_MOST or abs(mean) > F0_MOST:
        raise ExportError(
            "f0_missing", f"{path} has a mean of {mean} Hz and a deviation of {std}; copy it anew"
        )
    return mean, std
