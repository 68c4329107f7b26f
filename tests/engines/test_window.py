"""What a decoder step sees through the ring is exactly its band."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.session import Floats
from engines.window import MASKED, KvWindow

MEMORY = 1000.0  # marks keys of the memory


def key(number: float) -> Floats:
    """Keys and values of one step that can be told from all others."""
    return np.full((1, 1, 2), number, np.float32)


def seen(window: KvWindow, row: int, here: float) -> list[float]:
    """The numbers of the keys that a row of the mask lets through."""
    numbers = [*window.keys[0, 0, :, 0], here]
    return sorted(n for n, mask in zip(numbers, window.mask[row], strict=True) if mask == 0.0)


@given(band=st.integers(0, 9), room=st.integers(0, 5), steps=st.integers(1, 40))
def test_every_step_sees_its_band_and_nothing_else(band: int, room: int, steps: int) -> None:
    window = KvWindow((1, 1, 2), band + 1 + room, band, steps)
    for column in range(min(window.size, steps)):
        window.place(column, key(MEMORY + column))
    for i in range(steps):
        assert window.step == i
        past = [float(j) for j in range(max(0, i - band), i + 1)]
        ahead = [MEMORY + j for j in range(i, min(i + band, steps - 1) + 1)]
        assert seen(window, 0, float(i)) == past
        assert seen(window, 1, float(i)) == ahead
        window.advance(key(float(i)))
        if i + window.size < steps:
            window.place(i + window.size, key(MEMORY + i + window.size))


def test_its_size_does_not_depend_on_the_length() -> None:
    short, long = (KvWindow((2, 3, 8), 16, 5, steps) for steps in (4, 100_000))
    assert short.keys.shape == long.keys.shape == (2, 3, 31, 8)
    assert set(np.unique(long.mask)) == {np.float32(0.0), np.float32(MASKED)}


def test_a_band_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="band of 16"):
        KvWindow((1, 1, 2), 16, 16, 10)
