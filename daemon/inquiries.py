"""Questions of other threads that only the loop can answer, since the state is its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Inquiries(Generic[T]):
    """`ask` from any thread, `answer` from the loop."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._waiting: deque[Future[T]] = deque()

    def ask(self, timeout_s: float) -> T:
        """What the loop answers. Raises TimeoutError where it has not within that time."""
        question: Future[T] = Future()
        self._waiting.append(question)
        self._wake()
        try:
            return question.result(timeout_s)
        except futures.TimeoutError:  # not the built-in one before Python 3.11
            raise TimeoutError(f"no answer within {timeout_s:g} s") from None
        finally:
            question.cancel()  # a loop that comes back answers nobody who is gone

    def answer(self, make: Callable[[], T]) -> None:
        """All who ask now, with one answer."""
        asking = [question for question in self._taken() if question.set_running_or_notify_cancel()]
        if asking:
            told = make()
            for question in asking:
                question.set_result(told)

    def _taken(self) -> list[Future[T]]:
        return [self._waiting.popleft() for _ in range(len(self._waiting))]
