"""What the decoder can see: keys and values of the steps around the present one, in a ring."""

from __future__ import annotations

import numpy as np

from engines.session import Array, Floats

MASKED = -1e4  # added to the score of a key that is not to be seen


class KvWindow:
    """Keys and values of one utterance at one decoder step, of fixed size however long it is.

    Attention knows no order, so the newest key takes the place of the oldest and nothing moves.
    `keys` (layers, heads, 2 * size - 1, 2 * D): the own past, `size - 1` of them, then `size` of
    the memory from this step on. `mask` (2, 2 * size): row 0 for the own past and, last, this
    step; row 1 for the memory.
    """

    def __init__(self, key_value: tuple[int, int, int], size: int, band: int, steps: int) -> None:
        """An empty window over `steps` steps, of which each sees `band` back and `band` ahead.

        Raises:
            ValueError: the window is smaller than the band.
        """
        if size < band + 1:
            raise ValueError(f"a window of {size} steps cannot hold a band of {band}")
        layers, heads, pair = key_value
        self.size, self.band, self.steps, self.step = size, band, steps, 0
        self.keys = np.zeros((layers, heads, 2 * size - 1, pair), np.float32)
        self.mask = np.full((2, 2 * size), MASKED, np.float32)
        self.mask[0, -1] = 0.0
        self.mask[1, size - 1 : size + min(band, steps - 1)] = 0.0

    @property
    def feeds(self) -> dict[str, Array]:
        """What the decoder's step takes of it, without the batch axis."""
        return {"mask": self.mask, **{f"window_{i}": keys for i, keys in enumerate(self.keys)}}

    def place(self, column: int, key_value: Floats) -> None:
        """Put the memory's (layers, heads, 2 * D) of step `column` where a later step sees it."""
        self.keys[:, :, self._ahead(column)] = key_value

    def advance(self, own: Floats) -> None:
        """Go on to the next step; own (layers, heads, 2 * D) is what this one gave.

        The memory of step + size must be placed afterwards: its place is free now.
        """
        i = self.step
        if self.band:
            if i >= self.band:
                self.mask[0, (i - self.band) % (self.size - 1)] = MASKED
            self.mask[0, i % (self.size - 1)] = 0.0
            self.keys[:, :, i % (self.size - 1)] = own
        self.mask[1, self._ahead(i)] = MASKED
        if i + 1 + self.band < self.steps:
            self.mask[1, self._ahead(i + 1 + self.band)] = 0.0
        self.step += 1

    def _ahead(self, column: int) -> int:
        return self.size - 1 + column % self.size
