"""Long sentences in parts the acoustic model takes at once, cut where a speaker would breathe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise, takewhile
from typing import Final

from engines.text.sentence import Syllable, Word
from engines.text.symbols import syllable_phones

# About 80 syllables, as much as is said in 15 to 20 s. Longer parts sound no better (training
# sentences are shorter) and delay the first audio: a part is encoded whole, at a cost that grows
# with its square, and its durations are predicted symbol by symbol.
LONGEST_PART: Final = 200  # symbols
# What a text begins with is encoded before anything is heard, so it is shorter.
LONGEST_FIRST: Final = 120  # symbols, about 48 syllables
_SHORTEST_FIRST = 30

# How much a place for a cut is worth less than the best; apart by more than evenness can weigh.
_COMMA, _LIST_COMMA, _BREAK, _MINOR_BREAK, _BOUNDARY = 0.1, 0.3, 1.0, 2.0, 3.0
_COMMAS: Final = frozenset("，,（）()")
_LIST_COMMAS: Final = frozenset("、/")
_UNEVEN: Final = 0.5  # by how much of its share of the rest a part may be shorter or longer


def parts(
    words: Sequence[Word], longest: int = LONGEST_PART, first: int | None = None
) -> Iterator[tuple[Word, ...]]:
    """The words of a sentence in parts of at most `longest` symbols, each to be spoken on its own.

    first: the same for the first part, `longest` if left out.
    A sentence that fits is one part. Else it is cut into parts of about the same length: after a
    clause mark near the even place, else at a #3, else between words. The last word of every part
    has break 4. Only a word that is longer than a part is cut inside, between syllables; a
    syllable never is, so one of more than `longest` - 1 phones makes a part that is too long.
    """
    most = min(longest, first or longest)
    words = [part for word in words for part in _fitting(word, most)]
    ends = [0, *accumulate(map(symbol_count, words))]
    start = 0
    while start < len(words):
        if start:
            end = _end(words, ends, start, longest)
        else:
            end = (first and _first_clause(words, ends, most)) or _end(words, ends, 0, most)
        part = words[start:end]
        yield (*part[:-1], replace(part[-1], break_after=4))
        start = end


def symbol_count(word: Word) -> int:
    """Symbols of a word: its phones and the break after it."""
    return 1 + sum(map(phone_count, word.syllables))


def _end(words: Sequence[Word], ends: Sequence[int], start: int, longest: int) -> int:
    """Index after the last word of the part that begins at `start`.

    ends: symbols before each word, and in all.
    """
    rest = ends[-1] - ends[start]
    if rest <= longest:
        return len(words)
    share = rest / -(-rest // longest)
    best, least = start + 1, float("inf")
    for end in range(start + 1, len(words)):
        size = ends[end] - ends[start]
        if size > min(longest, share * (1 + _UNEVEN)):
            break
        unevenness = abs(size - share) / share
        cost = unevenness + _cost(words[end - 1])
        if unevenness > _UNEVEN:
            cost = unevenness + 2 * _BOUNDARY
        if cost < least:
            best, least = end, cost
    return best


def _first_clause(words: Sequence[Word], ends: Sequence[int], longest: int) -> int:
    """Index after the last clause mark within a first part, 0 where there is none, or too near."""
    if ends[-1] <= longest:
        return 0
    fitting = takewhile(lambda end: ends[end] <= longest, range(1, len(words)))
    good = [
        e for e in fitting if ends[e] >= _SHORTEST_FIRST and set(words[e - 1].marks) - _LIST_COMMAS
    ]
    return good[-1] if good else 0


def _cost(word: Word) -> float:
    """What a cut after the word costs."""
    if word.marks:
        marks = set(word.marks)
        if marks <= _LIST_COMMAS:
            return _LIST_COMMA
        return _COMMA if marks <= _COMMAS | _LIST_COMMAS else 0.0
    return (_BOUNDARY, _MINOR_BREAK, _BREAK, _BREAK)[word.break_after - 1]


def _fitting(word: Word, longest: int) -> Iterator[Word]:
    """The word, or even pieces of it between syllables where it is longer than a part."""
    if symbol_count(word) <= longest:
        yield word
        return
    ends = [0, *accumulate(map(phone_count, word.syllables))]
    share = ends[-1] / -(-ends[-1] // max(1, longest - 1))
    bounds = [0]
    for index in range(1, len(word.syllables)):
        size, following = (ends[n] - ends[bounds[-1]] for n in (index, index + 1))
        if following > longest - 1 or size >= share:
            bounds.append(index)
    for first, last in pairwise([*bounds, len(word.syllables)]):
        yield piece(word, first, last)


def piece(word: Word, first: int, last: int) -> Word:
    """Syllables `first` up to `last` of the word, with their share of its letters."""
    count = len(word.syllables)
    text = word.text[first * len(word.text) // count : last * len(word.text) // count]
    if last < count:
        return Word(text, word.syllables[first:last], 1)
    return replace(word, text=text, syllables=word.syllables[first:])


def phone_count(syllable: Syllable) -> int:
    """Symbols of a syllable: its phones."""
    return len(syllable_phones(syllable.pinyin)[0])
