"""What a client may ask."""
# ruff: noqa: UP045 - msgspec evaluates these annotations, on Python 3.9 too

from __future__ import annotations

from typing import Annotated, Optional, Union

import msgspec
from msgspec import Meta

from .changes import Load, Reload, Unload
from .codes import FORMAT, MAX_CREDIT, MAX_RATE, MIN_RATE
from .events import Stats, Subscribe, Unsubscribe
from .message import (
    Format,
    Id,
    MarkKind,
    Markup,
    Message,
    Name,
    PhraseUse,
    Pitch,
    Policy,
    Priority,
    Readings,
    Scope,
    Sink,
    Speed,
    Volume,
)
from .phrases import Prefetch


class Hello(Message, tag="hello", kw_only=True, frozen=True):
    """Who are you? Answered by `welcome`."""


class Say(Message, tag="say", kw_only=True, frozen=True):
    """Speak `text`. Answered by `error`, or by `accepted` and, in the end, exactly one `done`."""

    text: str
    sink: Sink = "client"
    voice: Optional[Name] = None
    speaker: Optional[Name] = None
    emotion: Name = "neutral"
    speed: Speed = 1.0
    pitch: Pitch = 0.0
    volume: Volume = 1.0
    credit: Annotated[int, Meta(ge=0, le=MAX_CREDIT)] = 0  # `audio` messages there is room for
    priority: Priority = "message"
    queue: Policy = "append"
    format: Format = FORMAT
    rate: Optional[Annotated[int, Meta(ge=MIN_RATE, le=MAX_RATE)]] = None  # Hz; None: the voice's
    more: bool = False  # text is still to come: `append` and `end`
    key: Optional[Id] = None  # a second `say` with it is not spoken again
    deadline_s: Optional[Annotated[float, Meta(gt=0.0, le=86400.0)]] = None  # for the first audio
    markup: Markup = "text"  # what `text` is
    # the kinds of marks that are wanted
    marks: Annotated[list[MarkKind], Meta(max_length=16)] = msgspec.field(default_factory=list)
    progress: bool = False  # whether it is told how far it is
    cache: PhraseUse = "use"  # of phrases that were said before
    # readings of words in this text alone, as a lexicon has them
    lexicon: Readings = msgspec.field(default_factory=dict)
    tone: bool = False  # a tone of 440 Hz and 1 s in place of the text, which is empty


class Append(Message, tag="append", kw_only=True, frozen=True):
    """More text for the live `say` named `target`. Answered by `appended` or `error`."""

    target: Id
    text: Annotated[str, Meta(min_length=1)]


class End(Message, tag="end", kw_only=True, frozen=True):
    """The text of the live `say` named `target` is complete. -> `appended` or `error`."""

    target: Id


class Credit(Message, tag="credit", kw_only=True, frozen=True):
    """Room for `grant` more `audio` messages of the live `say` with the same id. No answer."""

    grant: Annotated[int, Meta(ge=1, le=MAX_CREDIT)] = 1


class Cancel(Message, tag="cancel", kw_only=True, frozen=True):
    """End one `say` or all, or all of a priority; the caller's or anybody's. -> `cancelled`."""

    target: Optional[Id] = None
    scope: Scope = "mine"
    priority: Optional[Priority] = None


class Pause(Message, tag="pause", kw_only=True, frozen=True):
    """Hold the `say` named `target`, or all; the caller's own or anybody's. -> `paused`."""

    target: Optional[Id] = None
    scope: Scope = "mine"


class Resume(Message, tag="resume", kw_only=True, frozen=True):
    """Let it go on where it was held. -> `resumed`."""

    target: Optional[Id] = None
    scope: Scope = "mine"


class Voices(Message, tag="voices", kw_only=True, frozen=True):
    """Answered by `voice_list`."""


class Status(Message, tag="status", kw_only=True, frozen=True):
    """Answered by `status_report`, also while voices load."""


class Engines(Message, tag="engines", kw_only=True, frozen=True):
    """Answered by `engine_report`, also while voices load."""


Request = Union[
    Hello,
    Say,
    Prefetch,
    Append,
    End,
    Credit,
    Cancel,
    Pause,
    Resume,
    Voices,
    Status,
    Engines,
    Stats,
    Subscribe,
    Unsubscribe,
    Load,
    Unload,
    Reload,
]
