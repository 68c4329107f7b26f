"""SSML in stretches: what is said in one manner, without a pause that was asked for inside."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from engines.text.clauses import piece
from engines.text.manner import Manner
from engines.text.sentence import Sentence, Word
from engines.text.ssml import Document


@dataclass(frozen=True, slots=True)
class Stretch:
    """Words of one sentence, all or some of them.

    pause_s: the silence that was asked for before it, 0 for none. last: of its sentence.
    """

    words: tuple[Word, ...]
    manner: Manner
    pause_s: float
    last: bool


class Stretches:
    """Cuts the sentences of a document, in their order."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._places = [place for place, _ in document.pauses]
        self._made = 0  # pauses that were made already

    def of(self, sentence: Sentence) -> Iterator[Stretch]:
        """The stretches of the next sentence; the last word of each has break 4."""
        pieces = [part for word in sentence.words for part in self._pieces(word)]
        for (manner, due), group in groupby(pieces, self._key):
            words = list(group)
            last = words[-1] is pieces[-1]
            words[-1] = replace(words[-1], break_after=4)
            pause_s = sum(seconds for _, seconds in self._document.pauses[self._made : due])
            self._made = max(due, self._made)
            yield Stretch(tuple(words), manner, pause_s, last)

    def _pieces(self, word: Word) -> Iterator[Word]:
        """The word, or its parts where the key changes inside."""
        count, start = len(word.syllables), 0
        keys = [self._key_at(syllable.span[0]) for syllable in word.syllables]
        for index in range(1, count + 1):
            if index == count or keys[index] != keys[start]:
                yield word if index - start == count else piece(word, start, index)
                start = index

    def _key(self, word: Word) -> tuple[Manner, int]:
        return self._key_at(word.syllables[0].span[0])

    def _key_at(self, place: int) -> tuple[Manner, int]:
        """How it is said, and how many pauses come before."""
        return self._document.manner(place), bisect_right(self._places, place)


class Marks:
    """The marks of a document, handed out with the symbols they stand before."""

    def __init__(self, document: Document) -> None:
        self._marks = list(document.marks)
        text, script = document.script.text, document.script
        words = (n for n in range(len(text) - 1, -1, -1) if text[n].isalnum())
        last = next(words, 0)
        self._end = script.span(last, last + 1)[1] if text else 0

    def before(self, spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, str], ...]:
        """Those due with these symbols: (index of the symbol, name); at the end those left."""
        result: list[tuple[int, str]] = []
        for index, (start, end) in enumerate(spans):
            while self._marks and start < end and self._marks[0][0] <= start:
                result.append((index, self._marks.pop(0)[1]))
        if spans and max(end for _, end in spans) >= self._end:
            result += [(len(spans), name) for _, name in self._marks]
            self._marks.clear()
        return tuple(result)
