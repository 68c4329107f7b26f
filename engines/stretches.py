"""SSML in stretches: what is said in one manner, without a pause that was asked for inside."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
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


@dataclass(frozen=True, slots=True)
class _Mark:
    """place: its character of the document. word_end: the character behind the word that it is told
    at the end of, None where it is told with the word after it. held: behind that word's break too.
    """

    place: int
    name: str
    word_end: int | None = None
    held: bool = False


class Marks:
    """The marks of a document, handed out with the symbols they stand before.

    A mark stands at its place in the silence between two words, too: one right behind a word, or
    before a pause that is asked for, does not wait until that is over.
    """

    def __init__(self, document: Document) -> None:
        text, script = document.script.text, document.script
        self._signs = [
            (*script.span(n, n + 1), character.isalnum())
            for n, character in enumerate(text)
            if not character.isspace()
        ]
        self._pauses = [place for place, _ in document.pauses]
        self._end = next((end for _, end, spoken in reversed(self._signs) if spoken), 0)
        self._marks = [self._placed(place, name) for place, name in document.marks]

    def before(self, spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, str], ...]:
        """Those due with these symbols: (index of the symbol, name); at the end those left."""
        result: list[tuple[int, str]] = []
        for index, (start, end) in enumerate(spans):
            while self._marks and (at := _due(self._marks[0], start, end)) is not None:
                result.append((index + at, self._marks.pop(0).name))
        if spans and max(end for _, end in spans) >= self._end:
            result += [(len(spans), mark.name) for mark in self._marks]
            self._marks.clear()
        return tuple(result)

    def _placed(self, place: int, name: str) -> _Mark:
        """Of the signs between two words some stand before the mark, some behind it."""
        first = bisect_left(self._signs, (place,))
        begun = next((n for n in range(first - 1, -1, -1) if self._signs[n][2]), None)
        if begun is None:
            return _Mark(place, name)
        after = next((n for n in range(first, len(self._signs)) if self._signs[n][2]), None)
        word_end = self._signs[begun][1]
        word_start = self._signs[after][0] if after is not None else place
        touches, silent = begun == first - 1, after != first and first < len(self._signs)
        asked = [bisect_left(self._pauses, at) for at in (word_end, place, word_start + 1)]
        if asked[0] == asked[1] and (asked[1] < asked[2] or (touches and silent)):
            return _Mark(place, name, word_end, held=not touches)
        return _Mark(place, name)


def _due(mark: _Mark, start: int, end: int) -> int | None:
    """How far behind the beginning of this symbol it is told, in symbols; None: later."""
    if start < end:
        return 0 if mark.place <= start else None
    ends_here = mark.word_end is not None and start >= mark.word_end  # a break, behind its word
    return int(mark.held) if ends_here else None
