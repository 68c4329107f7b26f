"""The one seam between the engines and whatever computes a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from engines.errors import EngineError

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


class Session(Protocol):
    """One loaded graph. Calls may overlap; state belongs to the caller."""

    @property
    def state_size(self) -> int:
        """Floats of streaming state per stream; 0 for a graph without state."""

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name for inputs by name."""


@runtime_checkable
class DeviceSession(Protocol):
    """A session that holds memory of a device until it is closed."""

    @property
    def device_bytes(self) -> int:
        """What it holds there."""

    def close(self) -> None:
        """Give that back; nothing the second time."""


@runtime_checkable
class BackedSession(Protocol):
    """A session whose work another does once its device has failed."""

    @property
    def lost(self) -> EngineError | None:
        """Why the other does everything by now, if it does."""


def release(sessions: Iterable[Session]) -> None:
    """Give back what these sessions hold on devices; the others go with their last reference."""
    for session in sessions:
        if isinstance(session, DeviceSession):
            session.close()


def zero_state(session: Session) -> Floats:
    """The state (1, size) before the first call."""
    return np.zeros((1, session.state_size), np.float32)
