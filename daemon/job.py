"""One utterance in the engine: the text it still has to say, and how far it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sambertd_client.protocol import Markup, PhraseUse

from daemon.pcm import PcmForm
from daemon.speaking_voice import AudioChunk, SpeakingVoice
from daemon.warned import Warnings
from engines.style import Style
from engines.text.flow import Text, TextFlow
from engines.text.lexicon import Lexicon
from engines.text.sentence import Unread

__all__ = ["Job", "Text", "TextFlow"]


@dataclass(eq=False, slots=True)
class Job:
    """`cancelled`, `texts` and `more` may be changed by any thread, at any time.

    The engine's thread takes a text, speaks it, takes the next; without one it waits if there is
    more to come.
    """

    voice: SpeakingVoice
    texts: deque[Text]
    style: Style
    form: PcmForm
    phrases: PhraseUse = "use"  # those that were said before
    more: bool = False  # text is still to come
    markup: Markup = "text"
    lexicon: Lexicon | None = None  # of this utterance alone
    kinds: frozenset[str] = frozenset()  # of the marks that are wanted
    warnings: Warnings = field(default_factory=Warnings)  # those of its stream
    cancelled: bool = False
    chunks: Iterator[AudioChunk] | None = field(default=None, init=False)
    spoken: int = field(default=0, init=False)  # characters taken from `texts`
    given: int = field(default=0, init=False)  # characters ever put there
    base: int = field(default=0, init=False)  # number of the first sentence of the text at hand
    text_start: int = field(default=0, init=False)  # its first character in all of the text
    before: int = field(default=0, init=False)  # samples of the voice's made before it
    made: int = field(default=0, init=False)  # samples of the voice's
    sentence: int = field(default=0, init=False)  # number of the sentence last heard of
    known: bool = field(default=False, init=False)  # the chunk last made was
    unread: Sequence[Unread] = field(default=(), init=False)  # of the text at hand, so far
    noted: int = field(default=0, init=False)  # how much of that is among the warnings
    flow: TextFlow = field(default_factory=TextFlow, init=False)

    def __post_init__(self) -> None:
        self.given = sum(len(text.text) for text in self.texts)

    @property
    def unspoken(self) -> int:
        """Characters that the engine has not begun to speak."""
        return self.given - self.spoken + len(self.flow)

    def suits(self, voice: SpeakingVoice) -> bool:
        """Whether another voice can do what was accepted for this one."""
        here, there = self.voice.info, voice.info
        speaker_known = self.style.speaker is None or self.style.speaker in there.speakers
        same_rate = here.sample_rate == there.sample_rate
        return same_rate and speaker_known and self.style.emotion in there.emotions

    def recall(self) -> bool:
        """Whether all of it is known, and so is said without the engine, on this very voice."""
        if self.more or self.phrases not in ("use", "recall"):
            return False
        known = self.voice.recall(
            self.texts[0].text,
            self.style,
            markup=self.markup,
            marks=self.kinds,
            lexicon=self.lexicon,
        )
        if known is None:
            return False
        self.chunks, self.unread = known.chunks, known.unread
        self.spoken += len(self.texts.popleft().text)
        return True

    def note(self) -> None:
        """Take up what has not been read lately."""
        fresh = self.unread[self.noted :]
        self.noted += len(fresh)
        self.warnings.take(fresh, self.text_start)

    def append(self, text: str) -> None:
        self._give(self.flow.feed(text))

    def end(self) -> None:
        self._give(self.flow.end())
        self.more = False

    def _give(self, sentences: list[Text]) -> None:
        self.given += sum(len(sentence.text) for sentence in sentences)
        self.texts.extend(sentences)
