"""Where to clip a distribution of magnitudes so that eight bits tell the most of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEVELS = 128  # of |x| in signed eight bits, zero among them
_NOTHING = 1e-12


def entropy_threshold(counts: npt.NDArray[np.int64], stride: int = 16) -> int:
    """The number of bins to keep: least Kullback-Leibler divergence after clipping to LEVELS.

    Every candidate keeps the first n bins. What lies above is counted in the last of them, as
    clipping does; the n bins are then merged into LEVELS groups, spread out evenly over those bins
    that are not empty, and compared. The first bin holds the zeros of masks and ReLUs, which any
    scale keeps, and takes the second one's count. After "8-bit Inference with TensorRT" (S. Migacz,
    GTC 2017).
    """
    shape = counts.astype(np.float64)
    shape[0] = shape[1]
    if not shape.any():
        return len(shape)
    end = int(np.flatnonzero(shape)[-1]) + 1
    candidates = (*range(min(LEVELS, end), end, stride), end)
    return int(min(candidates, key=lambda n: (_divergence(shape, n), -n)))


def _divergence(shape: npt.NDArray[np.float64], n: int) -> float:
    """KL(clipped || quantized) of the first n bins."""
    clipped = shape[:n].copy()
    clipped[-1] += shape[n:].sum()
    group = np.arange(n) * LEVELS // n if n > LEVELS else np.arange(n)
    filled = shape[:n] > 0
    totals = np.bincount(group, shape[:n], LEVELS)
    sizes = np.bincount(group, filled, LEVELS)
    level = np.divide(totals, sizes, out=np.zeros(LEVELS), where=sizes > 0)
    quantized = np.where(filled, level[group], 0.0)
    p, q = clipped / clipped.sum(), quantized / max(quantized.sum(), _NOTHING)
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / np.maximum(q[seen], _NOTHING))).sum())
