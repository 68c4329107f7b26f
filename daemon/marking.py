"""Marks of a voice's stream as marks of a whole utterance, in its own samples and characters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sambertd_client import protocol as wire

from engines.marks import SpeechMark

if TYPE_CHECKING:
    from daemon.job import Job

MOST = 256  # marks of one message
WORDS = frozenset({"word"})  # that a pause on the speaker asks for


def placed(marks: Iterable[SpeechMark], job: Job) -> Iterator[SpeechMark]:
    """Those of the stream of a job's text at hand."""
    for mark in marks:
        start, end = (job.form.at(job.before + at) for at in (mark.start, mark.end))
        span = mark.span and (job.text_start + mark.span[0], job.text_start + mark.span[1])
        yield SpeechMark(mark.kind, start, end, mark.text, job.base + mark.sentence, span)


def message(request_id: str, marks: Iterable[SpeechMark]) -> wire.Marks:
    """Marks as their client is told them."""
    return wire.Marks(id=request_id, marks=[_told(mark) for mark in marks])


def _told(mark: SpeechMark) -> wire.Mark:
    start, end = mark.span or (None, None)
    return wire.Mark(
        kind=mark.kind,
        at=mark.start,
        samples=mark.end - mark.start,
        text=mark.text,
        sentence=mark.sentence,
        start=start,
        end=end,
    )
