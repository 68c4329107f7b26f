"""Frames to and from messages: every msgpack limit is set, and every field is checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Union, cast, get_args, get_origin

import msgpack  # type: ignore[import-untyped]
import msgspec

from .changes import Loaded, Reloaded, Unloaded
from .codes import (
    BAD_FIELD,
    BAD_FRAMES,
    MAX_FRAME_BYTES,
    PROTOCOL_MAX,
    PROTOCOL_MIN,
    UNDECODABLE,
    UNKNOWN_TYPE,
    UNSUPPORTED_VERSION,
)
from .events import Event, StatsReport, Subscribed
from .facts import EngineReport, StatusReport, VoiceList, Welcome
from .message import Message
from .phrases import Prefetched, Prefetching
from .requests import Request
from .speech import (
    Accepted,
    Appended,
    Audio,
    Cancelled,
    Done,
    Error,
    Held,
    Marks,
    Paused,
    Playing,
    Progress,
    Resumed,
)

_NO_CHOICE = re.compile(r"Invalid enum value .* - at `\$\.(\w+)", re.DOTALL)
Reply = Union[
    Welcome,
    Accepted,
    Appended,
    Audio,
    Marks,
    Playing,
    Held,
    Progress,
    Done,
    Prefetching,
    Prefetched,
    Cancelled,
    Paused,
    Resumed,
    VoiceList,
    StatusReport,
    EngineReport,
    StatsReport,
    Subscribed,
    Event,
    Loaded,
    Unloaded,
    Reloaded,
    Error,
]


class ProtocolError(Exception):
    """Frames that are not a message of this protocol; `code` is one of the codes above."""

    def __init__(self, code: str, text: str, request_id: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.request_id = request_id


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
        text = f"{kind}: {error}{_choices(known[kind], str(error))}"
        raise ProtocolError(BAD_FIELD, text, request_id) from error


def _choices(message: type[Message], trouble: str) -> str:
    """What the field takes, where that is one of several words."""
    found = _NO_CHOICE.match(trouble)
    fields = msgspec.structs.fields(message) if found else ()
    words = [
        word
        for field in fields
        if found and field.encode_name == found[1]
        for word in _words(field.type)
    ]
    return f"; choose of {', '.join(words)}" if words else ""


def _words(kind: Any) -> Iterator[str]:
    if get_origin(kind) is Literal:
        yield from map(str, get_args(kind))
    else:
        for part in get_args(kind):
            yield from _words(part)


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
