"""Phrases that were said before, and those that shall be."""
# ruff: noqa: UP045 - msgspec evaluates these annotations, on Python 3.9 too

from __future__ import annotations

from typing import Annotated, Optional

import msgspec
from msgspec import Meta

from .codes import PREFETCH_TEXTS
from .message import Markup, Message, Name, Pitch, Readings, Speed, Volume, Why


class Prefetch(Message, tag="prefetch", kw_only=True, frozen=True):
    """Make these texts ready, when nobody speaks: as `say` would have them, so that it finds them.

    Answered by `error`, or by `prefetching` again and again and, in the end, one `prefetched`.
    """

    texts: Annotated[list[str], Meta(min_length=1, max_length=PREFETCH_TEXTS)]
    voice: Optional[Name] = None
    speaker: Optional[Name] = None
    emotion: Name = "neutral"
    speed: Speed = 1.0
    pitch: Pitch = 0.0
    volume: Volume = 1.0
    markup: Markup = "text"
    lexicon: Readings = msgspec.field(default_factory=dict)


class Prefetching(Message, tag="prefetching", kw_only=True, frozen=True):
    """It is accepted; how far it is. Some may be dropped."""

    texts: int  # of the request
    done: int  # of them, whatever became of them
    made: int  # were made,
    known: int  # or were there already
    instance: str  # as in `welcome`: another one there later has forgotten this request


class PrefetchFailure(msgspec.Struct, kw_only=True, frozen=True):
    index: int  # of the text in the request
    code: str
    text: str


class Prefetched(Message, tag="prefetched", kw_only=True, frozen=True):
    """The last message of an accepted `prefetch`."""

    why: Why
    code: Optional[str] = None  # with why="error"
    text: Optional[str] = None
    made: int = 0
    known: int = 0
    failures: list[PrefetchFailure] = msgspec.field(default_factory=list)


class CacheFigures(msgspec.Struct, kw_only=True, frozen=True):
    """Phrases that were said before. Since the start, but for what is kept now."""

    from_memory: int  # found
    from_disk: int
    missed: int
    dropped: int  # of no use on disk
    in_memory: int  # kept now
    memory_bytes: int
    on_disk: int
    disk_bytes: int
