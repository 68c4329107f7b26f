"""What the daemon asks of a voice, so that tests may bring their own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sambertd_client.protocol import Markup

from engines.marks import SpeechMark
from engines.style import Style
from engines.text.sentence import Unread

if TYPE_CHECKING:
    from engines.pipeline import PhraseUse
    from engines.text.lexicon import Lexicon


class VoiceInfo(Protocol):
    """What a voice says of itself."""

    @property
    def name(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def licence(self) -> str: ...
    @property
    def sample_rate(self) -> int: ...
    @property
    def speakers(self) -> tuple[str, ...]: ...
    @property
    def emotions(self) -> tuple[str, ...]: ...


class AudioChunk(Protocol):
    """A piece of speech: float32 samples in -1..1, and the sentence they belong to.

    marks: of a whole part of the text, with the first of its pieces. known: kept from earlier, and
    not made.
    """

    @property
    def pcm(self) -> NDArray[np.float32]: ...
    @property
    def sentence(self) -> int: ...
    @property
    def marks(self) -> Sequence[SpeechMark]: ...
    @property
    def known(self) -> bool: ...


class SpokenPlan(Protocol):
    """What a voice is going to say. unread: what is not in it; it grows while it is spoken."""

    @property
    def unread(self) -> Sequence[Unread]: ...


class RecalledSpeech(Protocol):
    """What a voice says again from memory. unread: what of the text is not in it."""

    @property
    def chunks(self) -> Iterator[AudioChunk]: ...
    @property
    def unread(self) -> Sequence[Unread]: ...


class SpeakingVoice(Protocol):
    """What the daemon asks of a voice.

    `plan` and `stream` raise EngineError for what cannot be spoken. `streams` may be open at once,
    advanced in turn by one thread. `recall` is what `stream` would give, at once and in no place of
    theirs, or None where that is not at hand.
    """

    @property
    def streams(self) -> int: ...

    @property
    def info(self) -> VoiceInfo: ...
    def plan(
        self,
        text: str,
        style: Style,
        phrases: PhraseUse,
        /,
        *,
        markup: Markup,
        lexicon: Lexicon | None = None,
        marks: Collection[str],
    ) -> SpokenPlan: ...
    def stream(self, plan: Any, cancelled: Callable[[], bool], /) -> Iterator[AudioChunk]: ...
    def recall(
        self,
        text: str,
        style: Style,
        /,
        *,
        markup: Markup,
        marks: Collection[str],
        lexicon: Lexicon | None = None,
    ) -> RecalledSpeech | None: ...
    def warm_up(self) -> None: ...
    def close(self) -> None: ...
