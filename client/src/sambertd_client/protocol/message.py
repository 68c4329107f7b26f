"""What every message is made of. Everything that arrives is untrusted: see frames.py."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from .codes import PROTOCOL_MAX

Sink = Literal["client", "speaker", "both", "none"]
Format = Literal["pcm_s16le", "f32le"]
Scope = Literal["mine", "user", "all"]  # this connection's; its user's or key's; everybody's
Priority = Literal["important", "message", "text", "notification", "progress"]
Policy = Literal["append", "replace", "drop"]
Markup = Literal["text", "ssml", "symbols"]
MarkKind = Literal["sentence", "user", "word", "syllable", "viseme"]
PhraseUse = Literal["use", "recall", "refresh", "ignore"]
Why = Literal["end", "cancelled", "superseded", "error"]
State = Literal["loading", "ready", "stopping"]
Id = Annotated[str, Meta(min_length=1, max_length=64)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Speed = Annotated[float, Meta(ge=0.5, le=2.0)]
Pitch = Annotated[float, Meta(ge=-12.0, le=12.0)]  # semitones
Volume = Annotated[float, Meta(ge=0.0, le=2.0)]
Readings = Annotated[
    dict[Annotated[str, Meta(min_length=1, max_length=32)], Annotated[str, Meta(max_length=256)]],
    Meta(max_length=100),
]


class Message(msgspec.Struct, tag_field="t", kw_only=True, frozen=True):
    """What every message carries; a reply echoes the `id` of its request."""

    id: Id
    v: int = PROTOCOL_MAX
