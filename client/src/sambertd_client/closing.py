"""What ends with a with block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

Self = TypeVar("Self", bound="Leaving")


class Leaving(ABC):
    """A context manager that looks at how its block was left."""

    @abstractmethod
    def _leave(self, error: BaseException | None) -> None:
        """The block has ended, by this error or by none."""

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave(value)


class Closing(Leaving):
    """A context manager of something with a `close`."""

    @abstractmethod
    def close(self) -> None:
        """Give back what it holds."""

    def _leave(self, error: BaseException | None) -> None:
        self.close()
