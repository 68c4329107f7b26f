"""What is closed at the end of an `async with` block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

Self = TypeVar("Self", bound="AsyncClosing")


class AsyncClosing(ABC):
    """An asynchronous context manager of something with a `close`."""

    @abstractmethod
    async def close(self) -> None:
        """Give back what it holds."""

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
