"""The picture of docs/RESULTS.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PANELS = (
    ("model_bytes", "model size"),
    ("rss_mb", "peak memory"),
    ("total_s", "time to speak"),
    ("first_ms", "first audio"),
)
WANTED = {"model_bytes": 0.27, "rss_mb": 0.44, "total_s": 1 / 8}


def plot(voices: Mapping[str, Any], path: Path) -> None:
    """Bars of each side as a share of PyTorch's, and a line where full size is wanted to be."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(PANELS), figsize=(11, 3.2))
    for axis, (key, title) in zip(axes, PANELS, strict=True):
        _panel(axis, voices, key)
        axis.set_title(title, fontsize=10)
    axes[0].set_ylabel("share of PyTorch FP32, %")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=len(labels), fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _panel(axis: Any, voices: Mapping[str, Any], key: str) -> None:
    sides = list(next(iter(voices.values()))["rows"])
    width = 0.8 / len(sides)
    for number, side in enumerate(sides):
        shares = [100 * result["rows"][side]["ratios"][key] for result in voices.values()]
        places = [at + (number - (len(sides) - 1) / 2) * width for at in range(len(voices))]
        bars = axis.bar(places, shares, width, label=side)
        axis.bar_label(bars, fmt="%.0f", fontsize=7)
    if key in WANTED:
        axis.axhline(100 * WANTED[key], color="black", linestyle=":", linewidth=1)
    axis.set_xticks(range(len(voices)), list(voices), fontsize=8)
    axis.set_ylim(0, 112)
    axis.grid(axis="y", alpha=0.3)
