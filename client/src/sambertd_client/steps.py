"""What the logic of a client asks of the wire.

That logic is written once, as generators that yield these and are told yes or no; `Client` runs
them blocking, `AsyncClient` in an event loop. Nothing else of it knows which.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, Protocol, TypeVar, Union

T = TypeVar("T")


class Bell(Protocol):
    """What else is worth waking for; `fileno` is readable while it rings. For `Client` alone."""

    rings: bool

    def fileno(self) -> int: ...


class Wait(NamedTuple):
    """Until a message has come to the inbox of `id`, or the bell rings.

    No: neither came before `until` (monotonic).
    """

    id: str
    until: float
    bell: Bell | None = None


class Look(NamedTuple):
    """Whether a process listens at the endpoint now."""


Step = Union[Wait, Look]
Steps = Generator[Step, bool, T]
