"""What the daemon answers to `say` and what concerns it."""
# ruff: noqa: UP045 - msgspec evaluates these annotations, on Python 3.9 too

from __future__ import annotations

from typing import Annotated, Optional

import msgspec
from msgspec import Meta

from .codes import FORMAT
from .message import Message, Why


class Accepted(Message, tag="accepted", kw_only=True, frozen=True):
    voice: str
    rate: int  # Hz
    position: int  # requests that go before this one; 0: it starts now
    instance: str  # as in `welcome`: another one there later has forgotten this request
    channels: int = 1
    format: str = FORMAT
    start_s: Optional[float] = None  # until its first audio, as far as can be told


class Appended(Message, tag="appended", kw_only=True, frozen=True):
    unspoken: int  # characters that the engine has not begun to speak


class Audio(Message, tag="audio", kw_only=True, frozen=True):
    """Header of frame 2: little-endian mono PCM as `accepted` told."""

    seq: int
    at: int  # offset of the first sample in the utterance
    sentence: int = 0


class Mark(msgspec.Struct, kw_only=True, frozen=True):
    """What is said from sample `at` of the utterance on, at `accepted.rate`."""

    kind: str
    at: int
    samples: int = 0  # how long
    text: str = ""
    sentence: int = 0
    start: Optional[int] = None  # first character in the caller's own text, where it is known
    end: Optional[int] = None  # and the one after the last


class Marks(Message, tag="marks", kw_only=True, frozen=True):
    """Of the kinds that `say` asked for, ahead of the audio they point into."""

    marks: list[Mark]


class Progress(Message, tag="progress", kw_only=True, frozen=True):
    """How far a `say` with progress=True is; samples at `accepted.rate`."""

    made: int  # by the engine
    samples: int  # taken by the sink
    heard_samples: Optional[int] = None  # as in `done`, so far
    sentence: int = 0  # of the last that was taken
    total_s: Optional[float] = None  # of all text so far, estimated until all is made


class Playing(Message, tag="playing", kw_only=True, frozen=True):
    """The first samples of a `say` with sink=speaker were handed to the sound card.

    Again when it goes on: after a pause, or on a sound card that was lost.
    """

    ttfa_ms: float  # of the first time
    at: int = 0  # the sample that sounds first now


class Held(Message, tag="held", kw_only=True, frozen=True):
    """It stands still, whoever paused it: no more comes from sample `at` on, until it goes on."""

    why: str  # "paused", "speaker_lost"; "said_again" is a client's own word
    at: int = 0  # the sample that its sink was to get next
    text: Optional[str] = None  # for people


class TextWarning(msgspec.Struct, kw_only=True, frozen=True):
    """Something of the text that is not said, or not as it should be."""

    code: str
    text: str  # for people
    start: Optional[int] = None  # first character in the caller's own text
    end: Optional[int] = None  # and the one after the last


class Done(Message, tag="done", kw_only=True, frozen=True):
    """The last message of an accepted `say`."""

    why: Why
    code: Optional[str] = None  # with why="error"
    text: Optional[str] = None  # with why="error": what happened and what helps
    samples: int = 0  # delivered to the sink
    audio_s: float = 0.0
    synth_s: float = 0.0  # engine time spent
    heard_samples: Optional[int] = None  # that have sounded; None where the daemon cannot know
    ttfa_ms: Optional[float] = None  # `say` received -> first audio handed to its sink
    cached: float = 0.0  # share of the audio made that was kept from earlier, 0 to 1
    # 32 at most
    warnings: list[TextWarning] = msgspec.field(default_factory=list)


class Cancelled(Message, tag="cancelled", kw_only=True, frozen=True):
    ids: list[str]  # what this cancel ended; each has its own `done`


class Paused(Message, tag="paused", kw_only=True, frozen=True):
    ids: list[str]  # what this pause holds; what was held before is not among them


class Resumed(Message, tag="resumed", kw_only=True, frozen=True):
    ids: list[str]  # what goes on


class Error(Message, tag="error", kw_only=True, frozen=True):
    """A request that was not understood or not accepted; `id` is "" when it could not be read."""

    id: Annotated[str, Meta(max_length=64)]
    code: str
    text: str
    retry_s: Optional[float] = None  # when it may be asked again, where that is known
