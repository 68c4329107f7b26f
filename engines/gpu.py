"""One thread that owns a GPU: context, stream, memory and engines live and die in it.

CUDA's contexts belong to threads, and pycuda frees things only on the thread that made them. So
everyone else hands in functions and waits for what they return.
"""

from __future__ import annotations

import queue
import threading
import traceback
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from engines.errors import GpuError
from engines.gpu_memory import SPARE
from engines.gpu_room import Room

Result = TypeVar("Result")
Job = tuple[Callable[[Room], Any], "Future[Any]"]
Jobs = queue.SimpleQueue[Job | None]
END_S = 10.0  # a card that hangs must not keep the process from its end


class Gpu:
    """A GPU, entered. Any thread may call and close it."""

    def __init__(self, index: int = 0, limit: int | None = None, spare: int = SPARE) -> None:
        """Enter GPU number `index`.

        limit: bytes all engines together may take; None means all there are. spare: bytes of the
        card that are left to others.

        Raises:
            GpuError: gpu_missing, gpu_not_installed.
        """
        self._jobs: Jobs = queue.SimpleQueue()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._held = [0]
        entered: Future[None] = Future()
        self._thread = threading.Thread(
            target=_serve,
            args=(self._jobs, entered, lambda: Room(index, limit, spare), self._held),
            name=f"gpu-{index}",
            daemon=True,  # an owner that forgets to close must not keep the process
        )
        self._thread.start()
        # Also when the process ends, at which time the thread still runs.
        self._end = weakref.finalize(self, _end, self._jobs, self._thread, self._closed, self._lock)
        entered.result()

    def call(self, work: Callable[[Room], Result]) -> Result:
        """What `work` returns or raises, run in the GPU's thread after all that came before it.

        It must not return anything that lives on the GPU.

        Raises:
            GpuError: gpu_closed.
        """
        done: Future[Result] = Future()
        with self._lock:
            if self._closed.is_set():
                raise GpuError("gpu_closed", "the GPU was given back; load the voice again")
            self._jobs.put((work, done))
        del work
        return done.result()

    def memory(self) -> dict[str, int]:
        """Bytes of the GPU's memory in use, by engine."""
        return self.call(lambda room: room.budget.taken)

    @property
    def held(self) -> int:
        """Bytes of the GPU's memory in use after the last call; known without waiting."""
        return self._held[0]

    def close(self) -> None:
        """Give back everything, after what was handed in; nothing the second time."""
        self._end()


def _end(
    jobs: Jobs, thread: threading.Thread, closed: threading.Event, lock: threading.Lock
) -> None:
    with lock:
        closed.set()
        jobs.put(None)
    if thread is not threading.current_thread():
        thread.join(END_S)


def _serve(jobs: Jobs, entered: Future[None], enter: Callable[[], Room], held: list[int]) -> None:
    """The thread: enter, work, leave."""
    try:
        room = enter()
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is the caller's
        _let_go(error)
        entered.set_exception(error)
        return
    entered.set_result(None)
    try:
        while (job := jobs.get()) is not None:
            _do(*job, room, held)
            del job  # what it holds must not live until the next one comes
    finally:
        held[0] = 0
        room.leave()


def _do(work: Callable[[Room], Any], done: Future[Any], room: Room, held: list[int]) -> None:
    try:
        try:
            result = work(room)
        finally:
            held[0] = sum(room.budget.taken.values())
    except BaseException as error:  # noqa: BLE001  # as above
        _let_go(error)
        done.set_exception(error)
    else:
        done.set_result(result)


def _let_go(error: BaseException) -> None:
    """Clear the frames an error holds on to: their objects must not be freed by who catches it."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            waiting += [one.__cause__, one.__context__]
