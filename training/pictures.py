"""Mel pictures with f0 drawn in: recordings above, what a model makes of the same words below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from training.features import F0_CEIL, HOP, N_MELS, SAMPLE_RATE, Floats


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture: mel (T, 80) on any scale, f0 (T,) in Hz with 0 where unvoiced."""

    title: str
    mel: Floats
    f0: Floats


def draw(columns: Sequence[Sequence[Panel]], path: Path, width: float = 3.2) -> None:
    """Draw panels as a PNG: one column per word, rows as given; f0 on the right axis in Hz.

    width: of a column, in inches.
    """
    rows = len(columns[0])
    size = (width * len(columns), 2.6 * rows)
    figure, axes = plt.subplots(rows, len(columns), figsize=size, squeeze=False)
    for i, column in enumerate(columns):
        for axis, panel in zip(axes[:, i], column, strict=True):
            seconds = len(panel.mel) * HOP / SAMPLE_RATE
            axis.imshow(panel.mel.T, origin="lower", aspect="auto", extent=(0, seconds, 0, N_MELS))
            axis.set_title(panel.title, fontsize=9)
            right = axis.twinx()
            times = (np.arange(len(panel.f0)) + 0.5) * HOP / SAMPLE_RATE
            right.plot(times, np.where(panel.f0 > 0, panel.f0, np.nan), "r", linewidth=1.5)
            right.set_ylim(0, F0_CEIL)
            right.tick_params(labelsize=6)
            axis.tick_params(labelsize=6)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)
