"""The one seam between the engines and whatever computes a graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


class Session(Protocol):
    """One loaded graph. Calls may overlap; state belongs to the caller."""

    @property
    def state_size(self) -> int:
        """Floats of streaming state per stream; 0 for a graph without state."""

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name for inputs by name."""


def zero_state(session: Session) -> Floats:
    """The state (1, size) before the first call."""
    return np.zeros((1, session.state_size), np.float32)
