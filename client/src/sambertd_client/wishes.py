"""How something is to be said: what `say` takes beside the text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from . import protocol as wire

if TYPE_CHECKING:
    if sys.version_info >= (3, 11):
        from typing import Unpack as Unpack
    else:
        from typing_extensions import Unpack as Unpack

DEFAULT_CREDIT = 8  # audio messages on their way to this client at most


class Manner(TypedDict, total=False):
    """How it shall sound: what `say` and `prefetch` have in common."""

    voice: str | None  # None: the daemon's default
    speaker: str | None  # None: the voice's first
    emotion: str
    speed: float  # 0.5 to 2
    pitch: float  # semitones, -12 to 12
    volume: float  # 0 to 2
    markup: wire.Markup  # "text", "ssml" (one <speak> element), "symbols"
    lexicon: Mapping[str, str]  # readings of words in this text alone: {"一杯": "yi1 bei1"}


class Wishes(Manner, total=False):
    """The fields of the message `say`, which has the defaults; see docs/PROTOCOL.md."""

    sink: wire.Sink  # "client" streams PCM to the caller, "speaker" plays it, "both", "none"
    credit: int  # `audio` messages on their way at most; DEFAULT_CREDIT
    priority: wire.Priority  # what gives way to what on the speaker
    queue: wire.Policy  # "replace" ends what this client said before, "drop" may be refused
    format: wire.Format  # of the PCM
    rate: int | None  # of the PCM, Hz; None: the voice's
    key: str | None  # may be sent again, after a lost answer, without being said twice
    deadline_s: float | None  # ends with SpeechError where its first audio would come later
    marks: Iterable[wire.MarkKind]  # kinds that are wanted; see `Utterance.marks`
    progress: bool  # told how far it is; see `Utterance.on_reply`
    cache: wire.PhraseUse  # "use", "recall", "refresh" or "ignore" what was said before
    tone: bool  # instead of a text, which is "": a tone, to hear the way that speech takes
    more: bool  # the rest of the text follows by `append`, `end` or `stream`; text may be ""


def request(request_id: str, text: str, wishes: Wishes) -> wire.Say:
    """The message `say` they make."""
    fields: dict[str, Any] = {"credit": DEFAULT_CREDIT, **wishes}
    fields["marks"] = list(fields.get("marks", ()))
    fields["lexicon"] = dict(fields.get("lexicon", {}))
    return wire.Say(id=request_id, text=text, **fields)
