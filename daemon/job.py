"""One utterance in the engine: the text it still has to say, and how far it is."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from sambertd_client.protocol import Markup, PhraseUse

from daemon.pcm import PcmForm
from daemon.voices import AudioChunk, SpeakingVoice
from engines.style import Style
from engines.text.lexicon import Lexicon

LONG = 60  # characters without the end of a sentence that are cut at a clause
_ENDS = re.compile(r"(?:[。！？!?；;…\n]+[”’」』）)\"']*|\.(?=\s))")
_CLAUSES = re.compile(r"[，,、：:](?!\d)")


class Text(NamedTuple):
    """What is said at once, and where in all of the client's text it begins."""

    text: str
    start: int


class TextFlow:
    """Cuts text that arrives in pieces into sentences, each as soon as its end is there."""

    def __init__(self) -> None:
        self._rest = ""
        self._start = 0  # of the rest, in all that was fed

    def __len__(self) -> int:
        """Characters of the sentence that has no end yet."""
        return len(self._rest)

    def feed(self, text: str) -> list[Text]:
        """The sentences that this piece completes; a long one is cut at its last clause."""
        self._rest += text
        ends = [found.end() for found in _ENDS.finditer(self._rest)]
        if not ends and len(self._rest) > LONG:
            ends = [found.end() for found in _CLAUSES.finditer(self._rest)][-1:]
        starts = [0, *ends]
        whole, base = self._rest, self._start
        self._rest, self._start = whole[starts[-1] :], base + starts[-1]
        found = [
            Text(whole[start:end], base + start) for start, end in zip(starts, ends, strict=False)
        ]
        return [sentence for sentence in found if sentence.text.strip()]

    def end(self) -> list[Text]:
        """What is left, the last sentence."""
        rest, self._rest = Text(self._rest, self._start), ""
        self._start += len(rest.text)
        return [rest] if rest.text.strip() else []


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
    cancelled: bool = False
    chunks: Iterator[AudioChunk] | None = field(default=None, init=False)
    spoken: int = field(default=0, init=False)  # characters taken from `texts`
    given: int = field(default=0, init=False)  # characters ever put there
    base: int = field(default=0, init=False)  # number of the first sentence of the text at hand
    text_start: int = field(default=0, init=False)  # its first character in all of the text
    before: int = field(default=0, init=False)  # samples of the voice's made before it
    made: int = field(default=0, init=False)  # samples of the voice's
    sentence: int = field(default=0, init=False)  # number of the sentence last heard of
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

    def append(self, text: str) -> None:
        self._give(self.flow.feed(text))

    def end(self) -> None:
        self._give(self.flow.end())
        self.more = False

    def _give(self, sentences: list[Text]) -> None:
        self.given += sum(len(sentence.text) for sentence in sentences)
        self.texts.extend(sentences)
