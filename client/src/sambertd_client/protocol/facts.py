"""What the daemon tells of itself."""
# ruff: noqa: UP045 - msgspec evaluates these annotations, on Python 3.9 too

from __future__ import annotations

from typing import Optional

import msgspec

from ..engine_facts import VoiceEngines
from .message import Message, Sink, State
from .phrases import CacheFigures


class Limits(msgspec.Struct, kw_only=True, frozen=True):
    text_chars: int
    in_work: int
    waiting: int
    frame_bytes: int
    credit: int
    stall_s: float
    per_client: int = 0  # live requests of one client; 0: not told
    # of all connections of one user or key, but for admins; 0: not told, or no limit
    per_user: int = 0  # live requests
    requests_per_s: float = 0.0
    chars_per_min: int = 0


class Welcome(Message, tag="welcome", kw_only=True, frozen=True):
    server: str
    server_version: str
    instance: str  # changes whenever the daemon is started: live requests of another are lost
    protocol: tuple[int, int]  # lowest and highest `v` understood
    state: State
    formats: list[str]
    sinks: list[Sink]
    limits: Limits
    rates: Optional[tuple[int, int]] = None  # Hz, lowest and highest that `say` may ask for
    capabilities: list[str] = msgspec.field(default_factory=list)
    role: str = ""  # of this connection: "read", "speak" or "admin"
    voices: list[str] = msgspec.field(default_factory=list)  # their names, the default first
    live: Optional[list[str]] = None  # ids of this connection's `say` whose `done` is still to come


class VoiceEntry(msgspec.Struct, kw_only=True, frozen=True):
    name: str
    language: str
    licence: str
    sample_rate: int
    speakers: list[str]
    emotions: list[str]
    default: bool = False


class BrokenVoice(msgspec.Struct, kw_only=True, frozen=True):
    path: str
    code: str
    text: str


class VoiceList(Message, tag="voice_list", kw_only=True, frozen=True):
    voices: list[VoiceEntry]
    broken: list[BrokenVoice]
    folder: str = ""  # where the daemon looks for packs


class SpeakerStatus(msgspec.Struct, kw_only=True, frozen=True):
    available: bool
    device: str = ""
    rate: int = 0
    latency_ms: float = 0.0
    underruns: int = 0
    reopened: int = 0
    reason: str = ""  # why it is not available, and what helps


class StatusReport(Message, tag="status_report", kw_only=True, frozen=True):
    state: State
    detail: str  # what is being done, in words
    server_version: str
    pid: int
    uptime_s: float
    voices: list[str]
    broken_voices: int
    in_work: int
    waiting: int
    requests: int
    done: int
    cancelled: int
    failed: int
    refused: int
    bad_messages: int
    speaker: SpeakerStatus
    audio_s: float = 0.0
    synth_s: float = 0.0
    superseded: int = 0
    paused: int = 0
    ttfa_ms_p50: Optional[float] = None  # over the last 100 utterances
    # for people: a line on each voice's engines and their build
    engines: list[str] = msgspec.field(default_factory=list)
    # for people: settings and voices that were not taken when they were read again, and why
    problems: list[str] = msgspec.field(default_factory=list)
    stalled: str = ""
    cache: Optional[CacheFigures] = None  # None: there is none


class EngineReport(Message, tag="engine_report", kw_only=True, frozen=True):
    voices: list[VoiceEngines]
    store: str  # the folder engines are published in
    build: str  # as configured: background, never, wait
    memory_bytes: int  # resident, of the whole daemon
    device_bytes: int = 0  # of the GPU, by TensorRT's engines and what they share
