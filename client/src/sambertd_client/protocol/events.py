"""What the daemon tells by itself, and what it counts."""
# ruff: noqa: UP045 - msgspec evaluates these annotations, on Python 3.9 too

from __future__ import annotations

from typing import Literal, Optional

import msgspec

from .message import Message, Priority, Sink
from .phrases import CacheFigures

EventKind = Literal[
    "accepted",
    "started",
    "paused",
    "resumed",
    "done",
    "state",
    "speaker",
    "engines",
    "voices",
    "reload",
]


class Subscribe(Message, tag="subscribe", kw_only=True, frozen=True):
    """Tell me what happens, by `event` with this id. Answered by `subscribed` or `error`."""

    kinds: Optional[list[EventKind]] = None  # None or empty: all


class Unsubscribe(Message, tag="unsubscribe", kw_only=True, frozen=True):
    """No more events. No answer."""


class Stats(Message, tag="stats", kw_only=True, frozen=True):
    """Answered by `stats_report`, also while voices load."""


class Subscribed(Message, tag="subscribed", kw_only=True, frozen=True):
    next_seq: int  # of the first event that follows
    instance: str = ""  # as in `welcome`


class Event(Message, tag="event", kw_only=True, frozen=True):
    seq: int  # a number that is missing was dropped
    kind: str
    at_s: float  # since the daemon started
    utterance: Optional[str] = None  # the `id` of its `say`
    sink: Optional[Sink] = None
    priority: Optional[Priority] = None
    why: str = ""  # of a `done`
    code: Optional[str] = None
    samples: int = 0
    heard_samples: Optional[int] = None
    text: str = ""  # for people


class Percentiles(msgspec.Struct, kw_only=True, frozen=True):
    count: int  # of the utterances they are of
    p50: Optional[float] = None
    p90: Optional[float] = None
    p99: Optional[float] = None


class Histogram(msgspec.Struct, kw_only=True, frozen=True):
    """How many values were seen of which size, since the start; without bounds: not told."""

    bounds: list[float] = msgspec.field(default_factory=list)  # ascending
    # values up to each bound and above the one before; the last: above all bounds
    counts: list[int] = msgspec.field(default_factory=list)
    total: float = 0.0  # of all values, added up


class StatsReport(Message, tag="stats_report", kw_only=True, frozen=True):
    uptime_s: float
    requests: int
    ends: dict[str, int]  # of accepted utterances, by `why`
    codes: dict[str, int]  # of refusals and errors
    priorities: dict[str, int]  # accepted, by priority
    sinks: dict[str, int]  # accepted, by sink
    audio_s: float
    synth_s: float
    ttfa_ms: Percentiles
    bad_messages: int
    underruns: int
    reopened: int
    memory_bytes: int
    subscribers: int
    events: int  # sent
    events_dropped: int
    cache: Optional[CacheFigures] = None  # None: there is none
    first_audio_ms: Histogram = msgspec.field(default_factory=Histogram)
    # utterances that shared a step of the decoder, of all its steps
    batch_fill: Histogram = msgspec.field(default_factory=Histogram)
