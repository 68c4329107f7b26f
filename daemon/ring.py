"""The samples between the loop and the sound card: one writer, one reader, no locks.

`write`, `drop` and `space` belong to the loop, `fill` to the audio callback. Both count samples
since the start with integers that only grow; each side changes only its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]


class Ring:
    """`capacity` int16 samples, a power of two; a drop fades out over `fade` samples."""

    def __init__(self, capacity: int, fade: int) -> None:
        if capacity & (capacity - 1):
            raise ValueError(f"capacity {capacity} is not a power of two")
        self._samples: Samples = np.zeros(capacity, np.int16)
        self._mask = capacity - 1
        phase = (np.arange(fade, dtype=np.float32) + 1) / (fade + 1)
        self._window = (0.5 + 0.5 * np.cos(np.pi * phase)).astype(np.float32)
        self._scratch = np.empty(fade, np.float32)
        self._faded = 0  # samples of the fade under way,
        self._fade_to = 0  # and where what may still be heard in it ends
        self._last = 0  # the sample handed out last: a fade that runs out of audio holds it
        self._drop_to = 0
        self.written = 0
        self.read = 0

    @property
    def space(self) -> int:
        """Samples that can be written now."""
        return len(self._samples) - (self.written - self.read)

    def write(self, samples: Samples) -> bool:
        """Append all samples, or none where there is no space."""
        if len(samples) > self.space:
            return False
        at = self.written & self._mask
        first = min(len(samples), len(self._samples) - at)
        self._samples[at : at + first] = samples[:first]
        self._samples[: len(samples) - first] = samples[first:]
        self.written += len(samples)
        return True

    def drop(self) -> None:
        """Fade out what is sounding and forget all that is written so far."""
        self._drop_to = self.written

    def fill(self, out: Samples) -> int:
        """Fill a block for the card, with silence where there is no audio; samples of audio."""
        start = self._fade_out(out) if self._faded or self._drop_to > self.read else 0
        count = min(len(out) - start, self.written - self.read)
        self._copy(out[start : start + count])
        out[start + count :] = 0
        if len(out):
            self._last = int(out[-1])
        return start + count

    def _fade_out(self, out: Samples) -> int:
        """One block's part of the fade, which may span several; samples used of the block."""
        drop_to, faded = self._drop_to, self._faded
        if not faded:
            self._fade_to = drop_to
        count = min(len(out), len(self._window) - faded)
        have = max(0, min(count, self._fade_to - self.read))
        self._copy(out[:have])
        out[have:count] = out[have - 1] if have else self._held()
        np.multiply(out[:count], self._window[faded : faded + count], out=self._scratch[:count])
        np.copyto(out[:count], self._scratch[:count], casting="unsafe")
        self._faded += count
        if self._faded == len(self._window):
            self._faded = 0
            self.read = max(self.read, drop_to)
        return count

    def _held(self) -> int:
        """The unfaded value of the last sample, where a fade goes on without audio."""
        gain = float(self._window[self._faded - 1]) if self._faded else 1.0
        return max(-32768, min(32767, round(self._last / gain)))

    def _copy(self, out: Samples) -> None:
        at = self.read & self._mask
        first = min(len(out), len(self._samples) - at)
        out[:first] = self._samples[at : at + first]
        out[first:] = self._samples[: len(out) - first]
        self.read += len(out)
