"""Text, plain, SSML or symbols, as the models are given it: part by part, and how to say each."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt

from engines.marks import Said
from engines.pack import VoiceFile
from engines.pauses import pause_after
from engines.pipeline import Part, Plan
from engines.stretches import Marks, Stretch, Stretches
from engines.style import Controls, Style, controls
from engines.text.clauses import LONGEST_FIRST, LONGEST_PART, parts
from engines.text.frontend import FrontEnd
from engines.text.lexicon import Lexicon
from engines.text.manner import Manner
from engines.text.sentence import ENGLISH, Sentence, Unread, Word
from engines.text.ssml import Document, read_ssml
from engines.text.symbol_text import read_symbols
from engines.text.symbols import SymbolTable, syllable_phones, symbol_spans, symbols

LOG: Final = logging.getLogger(__name__)


class Planner:
    """Plans what one voice says. Any thread may plan."""

    def __init__(self, file: VoiceFile) -> None:
        self._file = file
        self._table = SymbolTable(
            file.symbols.phones,
            file.symbols.tones,
            file.symbols.speakers,
            file.symbols.emotions,
            file.symbols.mask,
        )
        self._lacking = {
            phone
            for phone in file.symbols.fallback
            if phone.isalpha() and phone not in ("ga", "ge", "go")
        }

    def plain(self, front_end: FrontEnd, text: str, style: Style, lexicon: Lexicon) -> Plan:
        """The plan of a plain text; raises as `Voice.plan` does."""
        told = controls(style, self._file)
        unread: list[Unread] = []
        sentences = front_end.sentences(text, lexicon, unread)
        return _begun(self._sentences(sentences, told, unread), told, unread)

    def ssml(self, front_end: FrontEnd, text: str, style: Style, lexicon: Lexicon) -> Plan:
        """The plan of a document; raises as `Voice.plan` does.

        Every manner in the document is settled at once, so a wish the voice cannot meet is told
        before anything is said.
        """
        told = controls(style, self._file)
        document = read_ssml(text)
        ways = {
            manner: controls(_styled(style, manner), self._file)
            for manner in {manner for _, manner in document.manners}
        }
        unread: list[Unread] = []
        sentences = front_end.sentences(document.script, lexicon, unread)
        return _begun(self._stretches(sentences, document, ways, told, unread), told, unread)

    def symbols(self, text: str, style: Style) -> Plan:
        """The plan of a text of symbols; raises as `Voice.plan` does."""
        told = controls(style, self._file)
        unread: list[Unread] = []
        return _begun(self._written(read_symbols(text), told, unread), told, unread)

    def _sentences(
        self, sentences: Iterable[Sentence], told: Controls, unread: list[Unread]
    ) -> Iterator[Part]:
        """The text in what the acoustic model takes at once, read as it is asked for."""
        for number, sentence in enumerate(sentences):
            cut = self._cut(sentence.words, first=number == 0)
            yield from self._parts(sentence, number, cut, told, unread)

    def _written(
        self, sentences: Sequence[Sentence], told: Controls, unread: list[Unread]
    ) -> Iterator[Part]:
        """Sentences of symbols: what ends with #4 is said on its own, as it was written."""
        for number, sentence in enumerate(sentences):
            first = 0
            for last, word in enumerate(sentence.words, 1):
                if word.break_after == 4:
                    cut = self._cut(sentence.words[first:last])
                    yield from self._parts(sentence, number, cut, told, unread, begins=first == 0)
                    first = last

    def _cut(self, words: Sequence[Word], *, first: bool = False) -> Iterator[tuple[Word, ...]]:
        """Words of a sentence, all or some, in what the acoustic model takes at once.

        first: whether nothing is heard before them; then the first part is shorter.
        """
        return parts(words, self._longest, LONGEST_FIRST if first else None)

    def _parts(
        self,
        sentence: Sentence,
        number: int,
        cut: Iterable[tuple[Word, ...]],
        told: Controls,
        unread: list[Unread],
        *,
        begins: bool = True,
    ) -> Iterator[Part]:
        """Words of a sentence as they were cut; begins: whether the first is the sentence's."""
        for part in cut:
            said = _said(sentence, number, part, first=begins)
            begins = False
            pause_s = pause_after(part[-1].marks, self._file.pauses)
            ids, spans = self._ids(part, told, unread), tuple(symbol_spans(part))
            yield Part(ids, number, pause_s, said, spans)

    def _stretches(
        self,
        sentences: Iterable[Sentence],
        document: Document,
        ways: dict[Manner, Controls],
        plain: Controls,
        unread: list[Unread],
    ) -> Iterator[Part]:
        stretches, marks = Stretches(document), Marks(document)
        after_s = 0.0
        for number, sentence in enumerate(sentences):
            begins = True
            for stretch in stretches.of(sentence):
                told = ways[stretch.manner]
                # Silence that is asked for is as long as it says, at any speed, and takes the
                # place of the silence for punctuation.
                before_s = max(0.0, stretch.pause_s * plain.speed - after_s)
                for words in self._cut(stretch.words, first=number == 0 and begins):
                    said = _said(sentence, number, words, first=begins)
                    begins = False
                    after_s = self._after(stretch, words)
                    spans = tuple(symbol_spans(words))
                    ids, due = self._ids(words, told, unread), marks.before(spans)
                    yield Part(ids, number, after_s, said, spans, due, told, before_s)
                    before_s = 0.0

    def _after(self, stretch: Stretch, words: Sequence[Word]) -> float:
        """The silence after a part of a stretch: none where only the manner changes."""
        inside = not stretch.last and words[-1] == stretch.words[-1] and not words[-1].marks
        return 0.0 if inside else pause_after(words[-1].marks, self._file.pauses)

    @property
    def _longest(self) -> int:
        return min(LONGEST_PART, self._file.acoustic.max_symbols)

    def _ids(
        self, words: Sequence[Word], told: Controls, unread: list[Unread]
    ) -> npt.NDArray[np.int64]:
        spoken = symbols(words, emotion=told.emotion, speaker=told.speaker)
        foreign = next((word for word in words if self._lacks(word)), None)
        if foreign is not None:
            self._tell_english(foreign, unread)
        return self._table.encode([self._known(symbol) for symbol in spoken])

    def _known(self, symbol: str) -> str:
        """The symbol with phone and tone replaced where the voice was not trained on them."""
        fallback = self._file.symbols.fallback
        if not fallback:
            return symbol
        phone, tone, rest = symbol.removeprefix("{").split("$", 2)
        return "{" + "$".join((fallback.get(phone, phone), fallback.get(tone, tone), rest))

    def _lacks(self, word: Word) -> bool:
        """Whether it has an English sound that the voice was not trained on, and nobody knows."""
        return bool(self._lacking) and any(
            not self._lacking.isdisjoint(syllable_phones(syllable.pinyin)[0])
            for syllable in word.syllables
        )

    def _tell_english(self, word: Word, unread: list[Unread]) -> None:
        """Once."""
        self._lacking = set()
        unread.append(Unread(ENGLISH, word.text, *word.span))
        LOG.warning(
            "voice %s was not trained on English: its words are said with the nearest Mandarin "
            "sounds; give them Chinese readings in a lexicon where that is not good enough",
            self._file.name,
        )


def _said(sentence: Sentence, number: int, words: tuple[Word, ...], *, first: bool) -> Said:
    """Of a part of a sentence; the first has what the whole sentence is."""
    if not first:
        return Said(words, number)
    spans = [word.span for word in sentence.words]
    span = min(start for start, _ in spans), max(end for _, end in spans)
    return Said(words, number, sentence.text, span)


def _begun(read: Iterator[Part], told: Controls, unread: list[Unread]) -> Plan:
    first = next(read)
    return Plan(chain([first], read), told, unread=unread)


def _styled(style: Style, manner: Manner) -> Style:
    """The caller's style, and what the document asks for on top of it."""
    return Style(
        manner.speaker or style.speaker,
        manner.emotion or style.emotion,
        style.speed * manner.rate,
        style.pitch + manner.pitch,
        style.volume * manner.volume,
        manner.intensity if manner.emotion else style.intensity,
    )
