"""What the logic of a client asks of the wire.

That logic is written once, as generators that yield these and are told yes or no; `Client` runs
them blocking, `AsyncClient` in an event loop. Nothing else of it knows which.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, TypeVar, Union

T = TypeVar("T")


class Wait(NamedTuple):
    """Until a message has come to the inbox of `id`; no: none came before `until` (monotonic)."""

    id: str
    until: float


class Look(NamedTuple):
    """Whether a process listens at the endpoint now."""


Step = Union[Wait, Look]
Steps = Generator[Step, bool, T]
