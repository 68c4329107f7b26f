"""A text that is said in pieces: what is appended to it, and its end."""

from __future__ import annotations

from daemon.checks import check_length
from daemon.config import Limits
from daemon.job import Job
from daemon.scheduler import Scheduler
from daemon.stream import Stream


def extend(scheduler: Scheduler, stream: Stream, job: Job, text: str, limits: Limits) -> None:
    """More of it. Raises RefusedError where too much of it waits to be spoken."""
    check_length(job.unspoken + len(text), limits)
    job.append(text)
    scheduler.fed(stream, len(text), ready=bool(job.texts))


def complete(scheduler: Scheduler, stream: Stream, job: Job) -> None:
    """That was all of it."""
    job.end()
    stream.open = False
    scheduler.fed(stream, 0, ready=True)
