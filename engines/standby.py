"""A session on a device, with one on the processor for what the device cannot do."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from engines.errors import GpuError
from engines.session import Array, DeviceSession, Session

LOG = logging.getLogger(__name__)


class OnDevice(Session, DeviceSession, Protocol):
    """What is stood by for."""


class Standby:
    """Runs on the device until that fails, and from then on on the other session.

    Shapes the device was not built for, such as a sentence of a wider band, go to the other alone.
    State belongs to the caller, so even the middle of a sentence can go on there.
    """

    def __init__(self, who: str, first: OnDevice, other: Session) -> None:
        """who: what the log calls it, such as "the engine of vocoder"."""
        self._who, self._first, self._other = who, first, other
        self._lost: GpuError | None = None

    @property
    def state_size(self) -> int:
        """Floats of streaming state per stream; 0 for a graph without state."""
        return self._other.state_size

    @property
    def device_bytes(self) -> int:
        """What it holds on the device."""
        return self._first.device_bytes

    @property
    def lost(self) -> GpuError | None:
        """Why the other does everything by now, if it does."""
        return self._lost

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name for inputs by name.

        Raises:
            VoiceError: voice_broken, the graph does not take these inputs.
        """
        if self._lost is None:
            try:
                return self._first.run(feeds)
            except GpuError as error:
                if error.code != "engine_shape":
                    self._lost = error
                    LOG.warning("%s is left for the processor: %s", self._who, error)
        return self._other.run(feeds)

    def close(self) -> None:
        """Give back what it holds on the device; nothing the second time."""
        self._first.close()
