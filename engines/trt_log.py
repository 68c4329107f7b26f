"""What TensorRT says, kept for messages that name the engine it was about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.errors import GpuError
from engines.gpu_memory import exhausted

if TYPE_CHECKING:
    import tensorrt as trt

KEPT = 8  # messages; the first ones name the cause
OLD_DRIVER = "driver version is insufficient"  # cudaError 35
FULL = ("out of memory", "outofmemory", "memory allocation", "cudamalloc", "insufficient memory")


class Ear:
    """Errors as they are reported, from whatever side."""

    def __init__(self) -> None:
        self._errors: list[str] = []
        self._full = False

    def forget(self) -> None:
        """What comes is about something else."""
        self._errors.clear()
        self._full = False

    def hear(self, message: str, *, full: bool = False) -> None:
        """Keep an error, once. full: memory was wanted that is not there."""
        message = message.strip()
        self._full |= full or any(sign in message.lower() for sign in FULL)
        if message and message not in self._errors and len(self._errors) < KEPT:
            self._errors.append(message)

    def error(self, who: str, what: str, cure: str) -> GpuError:
        """What went wrong for `who`, with all that was said of it."""
        said = "; ".join(self._errors) or "it does not say why"
        if self._full:
            return exhausted(who, said)
        if OLD_DRIVER in said:
            cure = "update the NVIDIA driver, or install a TensorRT made for the one that is there"
            return GpuError("gpu_missing", f"{who}: TensorRT {what}: {said}; {cure}")
        return GpuError("engine_broken", f"{who}: TensorRT {what}: {said}; {cure}")


def logger(ear: Ear) -> trt.ILogger:
    """A logger that passes errors on and leaves the console alone."""
    import tensorrt as trt

    class Logger(trt.ILogger):  # type: ignore[misc]  # untyped where TensorRT is not installed
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                ear.hear(msg)

    return Logger()


def recorder(ear: Ear) -> trt.IErrorRecorder:
    """What a runtime and all made by it report to; with one set, the logger hears less."""
    import tensorrt as trt

    class Recorder(trt.IErrorRecorder):  # type: ignore[misc]  # as above
        def __init__(self) -> None:
            trt.IErrorRecorder.__init__(self)
            self._reports: list[tuple[trt.ErrorCodeTRT, str]] = []

        def clear(self) -> None:
            self._reports.clear()

        def get_error_code(self, arg0: int) -> trt.ErrorCodeTRT:
            return self._reports[arg0][0]

        def get_error_desc(self, arg0: int) -> str:
            return self._reports[arg0][1]

        def has_overflowed(self) -> bool:
            return len(self._reports) >= KEPT

        def num_errors(self) -> int:
            return len(self._reports)

        def report_error(self, arg0: trt.ErrorCodeTRT, arg1: str) -> bool:
            if len(self._reports) < KEPT:
                self._reports.append((arg0, arg1))
            ear.hear(arg1, full=arg0 == trt.ErrorCodeTRT.FAILED_ALLOCATION)
            return False  # TensorRT need not end there; what fails is told by its caller

    return Recorder()
