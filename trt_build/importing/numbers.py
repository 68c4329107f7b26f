"""A few numbers from a .npy file of a stranger."""

from __future__ import annotations

import tokenize
from pathlib import Path

import numpy as np
import numpy.typing as npt

LARGEST = 1 << 20  # bytes
# What NumPy's reader of headers lets through.
_NO_ARRAY = (
    tokenize.TokenError,
    ArithmeticError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
)


def read_numbers(path: Path, count: int) -> npt.NDArray[np.float64]:
    """`count` finite numbers (count,), whatever shape and type they are written in.

    Raises:
        OSError: the file cannot be read.
        ValueError: it does not hold them; says what it holds.
    """
    with path.open("rb") as file:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it has more than {LARGEST >> 20} MiB")
        try:
            value = np.lib.format.read_array(file, allow_pickle=False)
        except _NO_ARRAY as e:
            raise ValueError("it is no .npy file") from e
    if value.dtype.kind not in "fiu" or value.size != count:
        raise ValueError(f"it has shape {value.shape} of type {value.dtype}")
    numbers = value.reshape(count).astype(np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError("it holds NaN or infinity")
    return numbers
