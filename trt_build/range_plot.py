"""The ranges of a voice as a picture; needs matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trt_build.calibration_file import Calibration, Method

MARKS: dict[Method, tuple[str, str]] = {
    "minmax": ("k", "."),
    "entropy": ("tab:orange", "x"),
    "percentile": ("tab:blue", "+"),
}


def plot_ranges(it: Calibration, path: Path) -> None:
    """A panel for each graph: its values in order, where they lie, and what each method keeps.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        OSError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    graphs = list(it.graphs)
    figure = Figure(figsize=(10, 2.4 * len(graphs)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(graphs), 1, squeeze=False)[:, 0]
    for graph, panel in zip(graphs, panels, strict=True):
        seen = it.magnitudes(graph)
        across = np.arange(len(seen))
        spread = [_quantiles(m.counts, m.edges) for m in seen.values()]
        low, high = np.array(spread).T
        panel.vlines(across, low, high, color="0.7", linewidth=3, label="50 % to 99 %")
        for method, (colour, mark) in MARKS.items():
            kept = list(it.ranges(graph, method).values())
            panel.plot(across, kept, mark, color=colour, label=method)
        panel.set(title=f"{graph}: {len(seen)} values", yscale="log", ylabel="|x|", xticks=[])
    panels[0].legend(ncols=4, fontsize="small")
    figure.suptitle(f"{it.voice}: ranges over {it.seconds:.0f} s of speech")
    figure.savefig(path, dpi=110)


def _quantiles(counts: npt.NDArray[Any], edges: npt.NDArray[Any]) -> tuple[float, float]:
    """|x| below which half, and 99 %, of the values that are not in the first bin lie."""
    rest = np.cumsum(counts[1:])
    if not len(rest) or not rest[-1]:
        return float(edges[1]), float(edges[1])
    low, high = np.searchsorted(rest, rest[-1] * np.array([0.5, 0.99]))
    return float(edges[low + 1]), float(edges[high + 2])
