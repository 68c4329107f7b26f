"""What ends with an `async with` block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

Self = TypeVar("Self", bound="AsyncLeaving")


class AsyncLeaving(ABC):
    """As `closing.Leaving`."""

    @abstractmethod
    async def _leave(self, error: BaseException | None) -> None:
        """The block has ended, by this error or by none."""

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._leave(value)


class AsyncClosing(AsyncLeaving):
    """As `closing.Closing`."""

    @abstractmethod
    async def close(self) -> None:
        """Give back what it holds."""

    async def _leave(self, error: BaseException | None) -> None:
        await self.close()
