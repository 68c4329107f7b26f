"""The sample rate of a voice, from wherever its files write it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trt_build.export.config import CONFIG, entry, read_config, read_yaml
from trt_build.export.errors import ExportError
from trt_build.importing.layout import CONFIGURATION, VoiceFolders

BY_HOP = {100: 8_000, 200: 16_000, 240: 24_000, 600: 48_000}  # KAN-TTS's configs
RATES = range(1000, 192_001)
AUDIO = "audio_config.yaml"


@dataclass(frozen=True, slots=True)
class Rate:
    """hz, and where it was read, for people."""

    hz: int
    origin: str


def sample_rate(voice: VoiceFolders, hop: int, given: int | None) -> Rate:
    """What the files say, else what was given, else a guess by the hop in samples.

    Raises:
        ExportError: rate_unknown, rate_mismatch.
    """
    if given is not None and given not in RATES:
        raise ExportError("rate_mismatch", f"--sample-rate {given} is no rate in Hz, like 16000")
    said = [rate for rate in _said(voice) if rate is not None]
    if not said:
        found = (_configuration(folder / CONFIGURATION) for folder in voice.around)
        said = [rate for rate in found if rate is not None][:1]
    if said and given and given != said[0].hz:
        raise ExportError(
            "rate_mismatch",
            f"--sample-rate {given}, but {said[0].origin} says {said[0].hz}; leave the option out",
        )
    for rate in said[1:]:
        if rate.hz != said[0].hz:
            raise ExportError(
                "rate_mismatch",
                f"{said[0].origin} says {said[0].hz} Hz, {rate.origin} says {rate.hz}; put an "
                "acoustic model and a vocoder of one rate together",
            )
    _check_hop(voice, hop)
    if said:
        return said[0]
    if given:
        return Rate(given, "--sample-rate")
    if hop in BY_HOP:
        return Rate(BY_HOP[hop], f"guessed by the hop of {hop} samples; else use --sample-rate")
    raise ExportError(
        "rate_unknown",
        f"no file of the voice names its sampling_rate, and KAN-TTS has no config with a hop of "
        f"{hop} samples; give it with --sample-rate HZ",
    )


def _said(voice: VoiceFolders) -> list[Rate | None]:
    configs = {
        folder / CONFIG: read_config(folder) for folder in (voice.voc.folder, voice.am.folder)
    }
    (voc_path, voc), (am_path, am) = configs.items()
    audio = next(
        (
            f / AUDIO
            for f in (voice.root, voice.voc.folder, voice.am.folder)
            if (f / AUDIO).is_file()
        ),
        None,
    )
    nsf = ("Model", "Generator", "params", "nsf_params", "sampling_rate")
    return [
        _rate(voc, voc_path, "audio_config", "sampling_rate"),
        _rate(read_yaml(audio), audio, "audio_config", "sampling_rate") if audio else None,
        _rate(am, am_path, "audio_config", "sampling_rate"),
        _rate(voc, voc_path, *nsf),
    ]


def _rate(config: Any, path: Path, *keys: str) -> Rate | None:
    value = entry(config, *keys)
    if value is None:
        return None
    if type(value) is not int or value not in RATES:
        raise ExportError(
            "rate_mismatch", f"{path} has {keys[-1]}: {value!r}, which is no rate in Hz; mend it"
        )
    return Rate(value, f"{path.name} of {path.parent.name}")


def _configuration(path: Path) -> Rate | None:
    """ModelScope's own file, which says it where the voice does not."""
    if not path.is_file():
        return None
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, RecursionError, ValueError):
        return None
    return _rate(config, path, "model", "sample_rate")


def _check_hop(voice: VoiceFolders, hop: int) -> None:
    for folder in (voice.voc.folder, voice.am.folder):
        named = entry(read_config(folder), "audio_config", "hop_length")
        if named is not None and named != hop:
            raise ExportError(
                "rate_mismatch",
                f"{folder / CONFIG} has frames of {named} samples (hop_length), the vocoder makes "
                f"{hop} of each; put an acoustic model and a vocoder of one set-up together",
            )
