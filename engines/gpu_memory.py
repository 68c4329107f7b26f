"""How much of the GPU's memory may be used, asked before it is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from engines.errors import GpuError

MIB = 1024 * 1024
SPARE = 64 * MIB  # left to the driver and to others
CURE = (
    "close other programs that use the GPU, allow sambertd more of it, or run this graph on the "
    "processor"
)


class Budget:
    """What is taken, by whom, and what is left of the limit and of the card."""

    def __init__(
        self, free: Callable[[], int], limit: int | None = None, spare: int = SPARE
    ) -> None:
        """free: asks the card. limit: bytes all takers may have; None means what the card has."""
        self._free, self._limit, self._spare = free, limit, spare
        self._taken: dict[str, int] = {}

    @property
    def taken(self) -> dict[str, int]:
        """Bytes by taker."""
        return dict(self._taken)

    def check(self, who: str, needs: Mapping[str, int]) -> None:
        """See that what `who` needs, by purpose in bytes, is there.

        Raises:
            GpuError: gpu_memory.
        """
        wanted, free = sum(needs.values()), self._free()
        if wanted > free - self._spare:
            told = f"{_mib(free)} are free, of which {_mib(self._spare)} are left to others"
            raise GpuError("gpu_memory", f"{_needs(who, needs)}; {told}; {CURE}")
        taken = sum(self._taken.values())
        if self._limit is not None and taken + wanted > self._limit:
            told = f"sambertd may use {_mib(self._limit)} and has {_mib(taken)} in use"
            raise GpuError("gpu_memory", f"{_needs(who, needs)}; {told}; {CURE}")

    def take(self, who: str, size: int) -> None:
        """Note `size` bytes more, or less if negative, as taken."""
        self._taken[who] = self._taken.get(who, 0) + size
        if self._taken[who] <= 0:
            del self._taken[who]


def exhausted(who: str, said: str) -> GpuError:
    """The error for an allocation that failed all the same; said: by whoever tried."""
    return GpuError("gpu_memory", f"the GPU's memory is full, {who} finds no place: {said}; {CURE}")


def available(told: Path = Path("/proc/meminfo")) -> int:
    """Bytes the operating system could free for a GPU that shares the processor's memory.

    There the driver counts files that are merely cached as taken. 0 if it cannot be known.
    """
    try:
        for line in told.read_text("ascii").splitlines():
            name, _, value = line.partition(":")
            if name == "MemAvailable":
                return int(value.split()[0]) * 1024
    except (OSError, ValueError):
        return 0
    return 0


def _needs(who: str, needs: Mapping[str, int]) -> str:
    parts = ", ".join(f"{name} {_mib(size)}" for name, size in needs.items())
    return f"{who} needs {_mib(sum(needs.values()))} of the GPU's memory ({parts})"


def _mib(size: int) -> str:
    return f"{size / MIB:.1f} MiB"
