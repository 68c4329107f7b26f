"""How large the values of a tensor get: counted as they stream by, in bounded memory."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

from engines.session import Array
from trt_build.entropy import entropy_threshold

BINS = 2048
PERCENTILE = 99.99
_SMALLEST, _LARGEST = -100, 128  # exponents of float32; below, all is as good as zero
Counts = npt.NDArray[np.int64]


class RangeError(ValueError):
    """A tensor holds NaN or infinity."""


class Saved(msgspec.Struct, frozen=True):
    """A collector in a file. counts: int64, little-endian, deflated; 2 ** exponent is their end."""

    low: float
    high: float
    exponent: int
    counts: bytes


class Magnitudes:
    """A histogram of |x| over [0, 2 ** exponent) in BINS equal bins, and the ends of x, 0 included.

    The exponent is the least that holds all values so far. Where it must grow, pairs of bins become
    one, which loses nothing: the histogram depends on the values alone, not on how they were cut
    into calls or collectors.
    """

    def __init__(self) -> None:
        self.low = self.high = 0.0
        self.exponent = _SMALLEST
        self.counts: Counts = np.zeros(BINS, np.int64)

    def add(self, values: Array) -> None:
        """Count float values of any shape.

        Raises:
            RangeError: one of them is NaN or infinite.
        """
        if not values.size:
            return
        values = values.astype(np.float32, copy=False).ravel()
        low, high = float(values.min()), float(values.max())
        for end in (low, high):
            if not math.isfinite(end):
                raise RangeError(f"holds {end}")
        if low or high:
            self._grow(math.frexp(max(-low, high))[1])
        self.low, self.high = min(self.low, low), max(self.high, high)
        sizes = np.abs(values)
        sizes *= np.float32(math.ldexp(BINS, -self.exponent))
        self.counts += np.bincount(sizes.astype(np.int32), minlength=BINS)

    def merge(self, other: Magnitudes) -> None:
        """Count what the other counted too."""
        self._grow(other.exponent)
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.counts += _coarser(other.counts, self.exponent - other.exponent)

    def _grow(self, exponent: int) -> None:
        steps = exponent - self.exponent
        if steps > 0:
            self.counts = _coarser(self.counts, steps)
            self.exponent = exponent

    @property
    def largest(self) -> float:
        """The largest |x|."""
        return max(-self.low, self.high)

    @property
    def total(self) -> int:
        """Values counted."""
        return int(self.counts.sum())

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """Where the bins begin and, last, end."""
        return np.linspace(0.0, math.ldexp(1.0, self.exponent), BINS + 1)

    def saved(self) -> Saved:
        """For a file."""
        packed = zlib.compress(self.counts.astype("<i8").tobytes(), 9)
        return Saved(self.low, self.high, self.exponent, packed)

    @classmethod
    def restored(cls, saved: Saved) -> Magnitudes:
        """From a file.

        Raises:
            ValueError: it is damaged.
        """
        it = cls()
        try:
            counts = np.frombuffer(zlib.decompress(saved.counts), "<i8").astype(np.int64)
        except zlib.error as error:
            raise ValueError(f"a histogram is damaged: {error}") from error
        if counts.shape != (BINS,) or not _SMALLEST <= saved.exponent <= _LARGEST:
            raise ValueError("a histogram has another size")
        it.low, it.high, it.exponent, it.counts = saved.low, saved.high, saved.exponent, counts
        return it


def _coarser(counts: Counts, doublings: int) -> Counts:
    """The same counts in bins that are 2 ** doublings as wide."""
    if doublings <= 0:
        return counts
    width = min(2 ** min(doublings, BINS.bit_length()), BINS)
    wide = np.zeros(BINS, np.int64)
    wide[: BINS // width] = counts.reshape(-1, width).sum(1)
    return wide


def minmax(seen: Magnitudes) -> float:
    """The largest |x|: nothing is clipped."""
    return seen.largest


def percentile(seen: Magnitudes, share: float = PERCENTILE) -> float:
    """The least bin's end below which lie `share` percent of all values, at most the largest."""
    if not seen.total:
        return 0.0
    enough = np.cumsum(seen.counts) >= seen.total * (share / 100.0) - 1e-9
    return min(float(seen.edges[1:][enough.argmax()]), seen.largest)


def entropy(seen: Magnitudes) -> float:
    """Where the quantized distribution keeps most of what the values tell; see entropy_threshold.

    Values that are zero say nothing about the scale and are left out.
    """
    bins = entropy_threshold(seen.counts)
    return min(float(seen.edges[bins]), seen.largest)


METHODS: dict[str, Callable[[Magnitudes], float]] = {
    "minmax": minmax,
    "entropy": entropy,
    "percentile": percentile,
}
