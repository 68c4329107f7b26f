"""What each group of layers loses in INT8, as a picture; needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trt_build.sensitivity import Choice


def plot_losses(choices: Sequence[Choice], path: Path, unit: str) -> None:
    """A panel for each graph: a bar for each group alone, the worst on top; those that stay in
    floating point are hatched.

    unit: what the loss is, for the axis.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        OSError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [choice for choice in choices if choice.alone]
    heights = [len(choice.alone) + 2 for choice in shown]
    figure = Figure(figsize=(8, 0.24 * sum(heights) + 1), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(
        max(1, len(shown)), 1, squeeze=False, sharex=True, height_ratios=heights or [1]
    )[:, 0]
    for choice, panel in zip(shown, panels, strict=False):
        trials = choice.alone[::-1]
        names = [trial.groups[0] for trial in trials]
        bars = panel.barh(names, [trial.loss for trial in trials], color="tab:blue")
        for name, bar in zip(names, bars, strict=True):
            if name in choice.dropped:
                bar.set(hatch="//", facecolor="0.8")
        together = f"{choice.best.loss:.3g} together" if choice.best else "none passes"
        panel.set_title(f"{choice.graph}: {len(choice.groups)} groups in INT8, {together}")
        panel.margins(y=0.02)
    panels[-1].set_xlabel(unit)
    figure.savefig(path, dpi=110)
