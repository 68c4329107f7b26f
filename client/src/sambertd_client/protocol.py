"""The wire protocol of sambertd: typed messages, their codes, and frames to and from them.

A message is one ZeroMQ message. Frame 1 is a msgpack map `{v, t, id, ...}`; `audio` carries raw
PCM as frame 2. Everything that arrives is untrusted: `decode_request` and `decode_reply` unpack
with every msgpack limit set and validate into the structs below, or raise `ProtocolError`.
Unknown fields are ignored. docs/PROTOCOL.md is the specification.
"""
# ruff: noqa: UP045 - msgspec evaluates these annotations, on Python 3.9 too

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Optional, Union, cast, get_args

import msgpack  # type: ignore[import-untyped]
import msgspec
from msgspec import Meta

from .engine_facts import EngineBuild as EngineBuild
from .engine_facts import GraphEngine as GraphEngine
from .engine_facts import RefusedEngine as RefusedEngine
from .engine_facts import VoiceEngines as VoiceEngines

PROTOCOL_MIN = 1
PROTOCOL_MAX = 1
MAX_FRAME_BYTES = 65536  # of a request; a larger frame makes the daemon drop the connection
MAX_CREDIT = 1024
FORMAT = "pcm_s16le"

# Codes of `error` and of `done` with why="error". Voices may add codes of their own.
BAD_FRAMES = "bad_frames"
UNDECODABLE = "undecodable"
UNSUPPORTED_VERSION = "unsupported_version"
UNKNOWN_TYPE = "unknown_type"
BAD_FIELD = "bad_field"
DUPLICATE_ID = "duplicate_id"
UNKNOWN_VOICE = "unknown_voice"
UNKNOWN_SPEAKER = "unknown_speaker"
UNKNOWN_EMOTION = "unknown_emotion"
TEXT_EMPTY = "text_empty"
TEXT_TOO_LONG = "text_too_long"
NOT_READY = "not_ready"
BUSY = "busy"
SHUTTING_DOWN = "shutting_down"
SPEAKER_UNAVAILABLE = "speaker_unavailable"
CLIENT_STALLED = "client_stalled"
INTERNAL = "internal"

Sink = Literal["client", "speaker"]
Scope = Literal["mine", "all"]
Why = Literal["end", "cancelled", "error"]
State = Literal["loading", "ready", "stopping"]
Id = Annotated[str, Meta(min_length=1, max_length=64)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]


class ProtocolError(Exception):
    """Frames that are not a message of this protocol; `code` is one of the codes above."""

    def __init__(self, code: str, text: str, request_id: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.request_id = request_id


class Message(msgspec.Struct, tag_field="t", kw_only=True, frozen=True):
    """What every message carries; a reply echoes the `id` of its request."""

    id: Id
    v: int = PROTOCOL_MAX


class Hello(Message, tag="hello", kw_only=True, frozen=True):
    """Who are you? Answered by `welcome`."""


class Say(Message, tag="say", kw_only=True, frozen=True):
    """Speak `text`. Answered by `error`, or by `accepted` and, in the end, exactly one `done`."""

    text: str
    sink: Sink = "client"
    voice: Optional[Name] = None
    speaker: Optional[Name] = None
    emotion: Name = "neutral"
    speed: Annotated[float, Meta(ge=0.5, le=2.0)] = 1.0
    pitch: Annotated[float, Meta(ge=-12.0, le=12.0)] = 0.0  # semitones
    volume: Annotated[float, Meta(ge=0.0, le=2.0)] = 1.0
    credit: Annotated[int, Meta(ge=0, le=MAX_CREDIT)] = 0  # `audio` messages there is room for


class Credit(Message, tag="credit", kw_only=True, frozen=True):
    """Room for `grant` more `audio` messages of the live `say` with the same id. No answer."""

    grant: Annotated[int, Meta(ge=1, le=MAX_CREDIT)] = 1


class Cancel(Message, tag="cancel", kw_only=True, frozen=True):
    """End the `say` named `target`, or all; the caller's own or anybody's. -> `cancelled`."""

    target: Optional[Id] = None
    scope: Scope = "mine"


class Voices(Message, tag="voices", kw_only=True, frozen=True):
    """Answered by `voice_list`."""


class Status(Message, tag="status", kw_only=True, frozen=True):
    """Answered by `status_report`, also while voices load."""


class Engines(Message, tag="engines", kw_only=True, frozen=True):
    """Answered by `engine_report`, also while voices load."""


Request = Union[Hello, Say, Credit, Cancel, Voices, Status, Engines]


class Limits(msgspec.Struct, kw_only=True, frozen=True):
    text_chars: int
    in_work: int
    waiting: int
    frame_bytes: int
    credit: int
    stall_s: float


class Welcome(Message, tag="welcome", kw_only=True, frozen=True):
    server: str
    server_version: str
    instance: str  # changes whenever the daemon is started: live requests of another are lost
    protocol: tuple[int, int]  # lowest and highest `v` understood
    state: State
    formats: list[str]
    sinks: list[Sink]
    limits: Limits
    live: Optional[list[str]] = None  # ids of this connection's `say` whose `done` is still to come


class Accepted(Message, tag="accepted", kw_only=True, frozen=True):
    voice: str
    rate: int  # Hz
    position: int  # requests before this one; 0: it starts now
    instance: str  # as in `welcome`: another one there later has forgotten this request
    channels: int = 1
    format: str = FORMAT


class Audio(Message, tag="audio", kw_only=True, frozen=True):
    """Header of frame 2: little-endian signed 16-bit mono PCM."""

    seq: int
    at: int  # offset of the first sample in the utterance
    sentence: int = 0


class Playing(Message, tag="playing", kw_only=True, frozen=True):
    """The first samples of a `say` with sink=speaker were handed to the sound card."""

    ttfa_ms: float


class Done(Message, tag="done", kw_only=True, frozen=True):
    """The last message of an accepted `say`."""

    why: Why
    code: Optional[str] = None  # with why="error"
    text: Optional[str] = None  # with why="error": what happened and what helps
    samples: int = 0  # delivered to the sink
    audio_s: float = 0.0
    synth_s: float = 0.0  # engine time spent
    ttfa_ms: Optional[float] = None  # `say` received -> first audio handed to its sink


class Cancelled(Message, tag="cancelled", kw_only=True, frozen=True):
    ids: list[str]  # what this cancel ended; each has its own `done`


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
    ttfa_ms_p50: Optional[float] = None  # over the last 100 utterances
    engines: list[str] = []  # for people: a line on each voice's engines and their build


class EngineReport(Message, tag="engine_report", kw_only=True, frozen=True):
    voices: list[VoiceEngines]
    store: str  # the folder engines are published in
    build: str  # as configured: background, never, wait
    memory_bytes: int  # resident, of the whole daemon
    device_bytes: int = 0  # of the GPU, by TensorRT's engines and what they share


class Error(Message, tag="error", kw_only=True, frozen=True):
    """A request that was not understood or not accepted; `id` is "" when it could not be read."""

    id: Annotated[str, Meta(max_length=64)]
    code: str
    text: str


Reply = Union[
    Welcome,
    Accepted,
    Audio,
    Playing,
    Done,
    Cancelled,
    VoiceList,
    StatusReport,
    EngineReport,
    Error,
]


def _by_tag(messages: Any) -> dict[str, type[Message]]:
    return {message.__struct_config__.tag: message for message in get_args(messages)}


_REQUESTS = _by_tag(Request)
_REPLIES = _by_tag(Reply)


def encode(message: Message) -> bytes:
    """The msgpack map of a message: frame 1."""
    return cast(bytes, msgpack.packb(msgspec.to_builtins(message), use_bin_type=True))


def decode_request(frames: Sequence[bytes]) -> Request:
    """The request in these frames. Raises ProtocolError, whose code the daemon answers with."""
    if len(frames) != 1:
        raise ProtocolError(BAD_FRAMES, f"a request is one frame, not {len(frames)}")
    return cast(Request, _decode(frames[0], _REQUESTS))


def decode_reply(frames: Sequence[bytes]) -> tuple[Reply, bytes]:
    """The reply in these frames and its PCM (empty unless it is `audio`). Raises ProtocolError."""
    if not 1 <= len(frames) <= 2:
        raise ProtocolError(BAD_FRAMES, f"a reply is one or two frames, not {len(frames)}")
    reply = cast(Reply, _decode(frames[0], _REPLIES))
    return reply, frames[1] if len(frames) == 2 else b""


def _decode(frame: bytes, known: dict[str, type[Message]]) -> Message:
    fields = _unpack(frame)
    request_id = fields.get("id")
    if not isinstance(request_id, str) or len(request_id) > 64:
        request_id = ""
    version, kind = fields.get("v"), fields.get("t")
    if type(version) is not int:
        raise ProtocolError(BAD_FIELD, "v, the protocol version, must be an integer", request_id)
    if not PROTOCOL_MIN <= version <= PROTOCOL_MAX:
        spoken = f"{PROTOCOL_MIN} to {PROTOCOL_MAX}"
        text = f"protocol version {version} is not spoken here, only {spoken}; update one side"
        raise ProtocolError(UNSUPPORTED_VERSION, text, request_id)
    if not isinstance(kind, str) or kind not in known:
        text = f"unknown message type {str(kind)[:40]!r}; known: {', '.join(known)}"
        raise ProtocolError(UNKNOWN_TYPE, text, request_id)
    try:
        return msgspec.convert(fields, known[kind])
    except (msgspec.ValidationError, RecursionError) as error:
        raise ProtocolError(BAD_FIELD, f"{kind}: {error}", request_id) from error


def _unpack(frame: bytes) -> dict[Any, Any]:
    try:
        fields = msgpack.unpackb(
            frame,
            raw=False,
            strict_map_key=True,
            max_str_len=MAX_FRAME_BYTES,
            max_bin_len=0,
            max_array_len=4096,
            max_map_len=256,
            max_ext_len=0,
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        text = f"frame 1 is not a msgpack map within the limits: {type(error).__name__} {error}"
        raise ProtocolError(UNDECODABLE, text.rstrip()) from error
    if not isinstance(fields, dict):
        raise ProtocolError(UNDECODABLE, f"frame 1 is a {type(fields).__name__}, not a map")
    return fields
