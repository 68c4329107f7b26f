"""What TensorRT says while it builds: errors kept for people, phases told as a share done.

Its callbacks come from threads of its own, and an exception must not cross back into it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

Told = Callable[[str, float], bool]
NO_DRIVER = re.compile(r"catchCudaError|cudaError 35")  # an echo where there is no GPU
MEMORY = re.compile(r"out ?of ?memory|FAILED_ALLOCATION|MEM_ALLOC_FAILED|insufficient memory", re.I)
WORKSPACE = re.compile(r"workspace (limit|size)|insufficient workspace", re.I)
WHERE = re.compile(r"\s*\bIn \w+ at \S+?:\d+")  # in NVIDIA's sources
MOST_ERRORS = 20


def unheard(phase: str, share: float) -> bool:
    """Listen to no progress and let the build go on."""
    return True


class Hearing:
    """All that one build said. errors: in order. cancelled: the listener asked to stop."""

    def __init__(self, told: Told = unheard) -> None:
        self.errors: list[str] = []
        self.cancelled = False
        self._told, self._raised = told, list[BaseException]()
        self._lock = threading.RLock()
        self._phases: dict[str, _Phase] = {}
        self._share = 0.0

    def error(self, message: str) -> None:
        """Keep a message, once."""
        with self._lock:
            if message not in self.errors and len(self.errors) < MOST_ERRORS:
                self.errors.append(message)

    def said(self) -> str:
        """The errors in one line, less what is said of every machine without a GPU."""
        told = [message for message in self.errors if not NO_DRIVER.search(message)]
        return "; ".join(WHERE.sub("", message).strip() for message in told or self.errors)

    @property
    def out_of_memory(self) -> bool:
        """Whether the GPU's memory did not suffice."""
        return any(MEMORY.search(message) for message in self.errors)

    @property
    def out_of_workspace(self) -> bool:
        """Whether kernels were left out because they may not have the memory they need."""
        return any(WORKSPACE.search(message) for message in self.errors)

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase begins, as a part of the step that its parent is at."""
        with self._lock:
            self._phases[name] = _Phase(self._phases.get(parent or ""), max(1, steps))
        self._tell(name)

    def step(self, name: str, step: int) -> bool:
        """Step number `step` of a phase is done; whether to go on."""
        with self._lock:
            if name in self._phases:
                self._phases[name].done = step + 1
        self._tell(name)
        return not self.cancelled

    def finish(self, name: str) -> None:
        """A phase ends."""
        with self._lock:
            phase = self._phases.pop(name, None)
            if phase is not None and phase.parent is None:
                self._share = 1.0
        self._tell(name)

    def raise_what_the_listener_raised(self) -> None:
        """Raise it now that TensorRT is not between."""
        if self._raised:
            raise self._raised[0]

    def _tell(self, name: str) -> None:
        with self._lock:
            phase = self._phases.get(name)
            if phase is not None:
                self._share = max(self._share, phase.share)
            if self.cancelled:
                return
            try:
                self.cancelled = not self._told(name, self._share)
            except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt would abort in C++
                self._raised.append(error)
                self.cancelled = True


class _Phase:
    """A phase of so many steps, within one step of its parent."""

    def __init__(self, parent: _Phase | None, steps: int) -> None:
        self.parent, self.steps, self.done = parent, steps, 0
        self.start: float = parent.share if parent else 0.0
        self.width: float = parent.width / parent.steps if parent else 1.0

    @property
    def share(self) -> float:
        """Of the whole build that is done when this far, 0 to 1."""
        return min(1.0, self.start + self.width * min(self.done, self.steps) / self.steps)


def log(trt: Any, hearing: Hearing) -> Any:
    """An ILogger that keeps the errors, and leaves the console alone."""

    class Log(trt.ILogger):  # type: ignore[misc]  # the module is not known before run time
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                hearing.error(message)

    return Log()


def recorder(trt: Any, hearing: Hearing) -> Any:
    """An IErrorRecorder; what comes here does not come to the logger."""

    class Recorder(trt.IErrorRecorder):  # type: ignore[misc]  # as above
        def __init__(self) -> None:
            trt.IErrorRecorder.__init__(self)
            self._kept: list[tuple[Any, str]] = []

        def num_errors(self) -> int:
            return len(self._kept)

        def get_error_code(self, index: int) -> Any:
            return self._kept[index][0]

        def get_error_desc(self, index: int) -> str:
            return self._kept[index][1]

        def has_overflowed(self) -> bool:
            return False

        def clear(self) -> None:
            self._kept.clear()

        def report_error(self, code: Any, description: str) -> bool:
            failed = code == trt.ErrorCodeTRT.FAILED_ALLOCATION
            self._kept.append((code, description))
            hearing.error(f"FAILED_ALLOCATION {description}" if failed else description)
            return False

    return Recorder()


def monitor(trt: Any, hearing: Hearing) -> Any:
    """An IProgressMonitor."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # as above
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            hearing.start(name, parent, steps)

        def step_complete(self, name: str, step: int) -> bool:
            return hearing.step(name, step)

        def phase_finish(self, name: str) -> None:
            hearing.finish(name)

    return Monitor()


def errors_of(parser: Any) -> Iterator[str]:
    """What an OnnxParser found wrong, by node and operator."""
    for error in (parser.get_error(i) for i in range(parser.num_errors)):
        node, operator = error.node_name() or error.node(), error.node_operator()
        yield f"node {node} ({operator or 'no operator'}): {error.desc()}"
