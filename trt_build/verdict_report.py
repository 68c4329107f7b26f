"""A verdict for people: a table, the reasons, waves to listen to, a picture of the worst pair."""

from __future__ import annotations

import math
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from engines.session import Floats
from trt_build.audio_measures import prove
from trt_build.errors import BuildError
from trt_build.limits import LIMITS, Limit
from trt_build.mel import decibels, mel_power
from trt_build.table import markdown, plain
from trt_build.verdict import Verdict

HEADER = ("measure", "mean", "allowed", "worst", "allowed", "")
PICTURE_BANDS, PICTURE_HOP_S = 80, 0.008


def table(
    verdict: Verdict, limits: Mapping[str, Limit] = LIMITS, *, as_markdown: bool = False
) -> str:
    """One row for each measure: mean and worst sentence beside what is allowed."""
    write = markdown if as_markdown else plain
    return write(HEADER, [_row(verdict, name, limits[name]) for name in limits])


def _row(verdict: Verdict, name: str, limit: Limit) -> list[str]:
    if name not in verdict.mean:
        return [limit.title, "-", "-", "-", "-", "not measured"]
    mean, worst = verdict.mean[name], verdict.worst[name]
    bounds = limit.mean_limit(verdict.strict), limit.worst_limit(verdict.strict)
    if bounds == (None, None):
        result = "told only"
    else:
        broken = any(reason.startswith(f"{limit.title}, ") for reason in verdict.reasons)
        result = "FAILED" if broken else "ok"
    cells = (mean, bounds[0], worst, bounds[1])
    return [limit.title, *(_cell(limit, value) for value in cells), result]


def _cell(limit: Limit, value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.{limit.digits}f}"


def summary(verdict: Verdict, texts: Sequence[str]) -> str:
    """What comes under the table: what was not measured, the worst sentence, and the verdict."""
    lines = [f"not measured: {line}" for line in verdict.unmeasured]
    worst = verdict.worst_sentence
    lines.append(f"nearest to its limits: sentence {worst + 1}, {texts[worst]}")
    if verdict.passed:
        lines.append(f"PASSED, using {verdict.strain:.0%} of what is allowed")
    else:
        lines += [f"FAILED: {reason}" for reason in verdict.reasons]
    return "\n".join(lines)


def write_json(verdict: Verdict, texts: Sequence[str], path: Path) -> None:
    """The verdict with every sentence's figures.

    Raises:
        BuildError: cannot_write.
    """
    data = {**msgspec.to_builtins(verdict), "texts": list(texts)}
    _write(path, msgspec.json.format(msgspec.json.encode(data), indent=1))


def write_waves(
    reference: Sequence[Floats], candidate: Sequence[Floats], rate: int, folder: Path
) -> None:
    """Pairs to listen to: 01-fp32.wav, 01-candidate.wav and so on, 16-bit.

    Raises:
        BuildError: cannot_write.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, pair in enumerate(zip(reference, candidate, strict=True), 1):
            for name, samples in zip(("fp32", "candidate"), pair, strict=True):
                _write_wave(folder / f"{number:02}-{name}.wav", samples, rate)
    except OSError as error:
        raise _told(folder, error) from error


def _write_wave(path: Path, samples: Floats, rate: int) -> None:
    pcm = np.clip(np.nan_to_num(samples, posinf=0.0, neginf=0.0), -1.0, 1.0) * 32767.0
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(pcm).astype("<i2").tobytes())


def draw(title: str, reference: Floats, candidate: Floats, rate: int, path: Path) -> None:
    """Mel spectra of a pair and their difference, as a PNG.

    Raises:
        BuildError: cannot_write, prove_missing.
    """
    prove("matplotlib").use("Agg")
    plt = prove("matplotlib.pyplot")
    powers = [
        mel_power(np.nan_to_num(w, posinf=0.0, neginf=0.0), rate, PICTURE_BANDS, PICTURE_HOP_S)
        for w in (reference, candidate)
    ]
    loudest = float(powers[0].max())
    one, other = (decibels(power, loudest).T for power in powers)
    frames = min(one.shape[1], other.shape[1])
    figure, axes = plt.subplots(3, 1, figsize=(10, 7.5), sharex=True, layout="constrained")
    pictures = (("FP32", one), ("candidate", other), ("candidate - FP32", None))
    for axis, (name, levels) in zip(axes, pictures, strict=True):
        style: dict[str, Any] = {"vmin": -60, "vmax": 0}
        if levels is None:
            levels = other[:, :frames] - one[:, :frames]
            style = {"vmin": -20, "vmax": 20, "cmap": "RdBu_r"}
        extent = (0, levels.shape[1] * PICTURE_HOP_S, 0, PICTURE_BANDS)
        image = axis.imshow(levels, origin="lower", aspect="auto", extent=extent, **style)
        axis.set_title(name, fontsize=10)
        axis.set_ylabel("mel band")
        figure.colorbar(image, ax=axis, label="dB")
    axes[-1].set_xlabel("s")
    figure.suptitle(title, fontsize=10)
    try:
        figure.savefig(path, dpi=90, format="png")
    except OSError as error:
        raise _told(path, error) from error
    finally:
        plt.close(figure)


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise _told(path, error) from error


def _told(path: Path, error: OSError) -> BuildError:
    return BuildError(
        "cannot_write", f"cannot write {path}: {error.strerror}; name a place you may write to"
    )
