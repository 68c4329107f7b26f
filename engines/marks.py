"""Where in the audio the sentences, words, syllables and mouth shapes of a text begin and end.

The acoustic model predicts how long each symbol lasts before the first frame is decoded, and
exactly so long it then is; so marks are known ahead of the audio and need no alignment.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from engines.text.clauses import symbol_count
from engines.text.sentence import Word
from engines.text.symbols import syllable_phones
from engines.visemes import REST, shapes

Kind = Literal["sentence", "user", "word", "syllable", "viseme"]
KINDS: Final = frozenset[str](get_args(Kind))
_ORDER: Final = {kind: rank for rank, kind in enumerate(get_args(Kind))}  # what holds others first


@dataclass(frozen=True, slots=True)
class SpeechMark:
    """What is said from sample `start` of a stream, its first being 0, to before sample `end`.

    text: a sentence or a word as the normalised text has it, without the punctuation after a
    word; a syllable as it is said, tone sandhi applied ("ni2"; English as "W AY1"); a viseme's
    name, see `engines.visemes`; the name of a <mark> of SSML (kind "user"), whose end is its
    start. sentence: its number. span: the characters of the caller's own text it is for, None
    where they are not known. The end of a sentence that is spoken in parts is that of its first
    part.
    """

    kind: Kind
    start: int
    end: int
    text: str
    sentence: int
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """The words of a part, in the order of its symbols, and of which sentence they are.

    text, span: of the sentence, in its first part; else empty and None.
    """

    words: tuple[Word, ...]
    sentence: int
    text: str = ""
    span: tuple[int, int] | None = None


def speech_marks(
    said: Said,
    durations: npt.NDArray[np.int64],
    hop: int,
    start: int,
    users: Sequence[tuple[int, str]] = (),
    kinds: Container[str] = KINDS,
) -> tuple[SpeechMark, ...]:
    """Marks in the order in which they begin, what holds others before those.

    durations: frames (T,) of each symbol: the phones of a word, and behind them its break.
    hop: samples per frame. start: sample at which the part begins. users: names of marks of the
    user's, each before a symbol, or after all at T. kinds: those that are wanted.

    Raises:
        ValueError: there are not as many durations as symbols.
    """
    symbols = sum(map(symbol_count, said.words))
    if symbols != len(durations):
        raise ValueError(f"{len(durations)} durations for {symbols} symbols")
    at = [start + hop * int(frames) for frames in (0, *np.cumsum(durations))]
    marks = list(_words(said.words, at, said.sentence, kinds))
    if "user" in kinds:
        marks += [SpeechMark("user", at[n], at[n], name, said.sentence) for n, name in users]
    if said.text and "sentence" in kinds:
        marks.append(SpeechMark("sentence", at[0], at[-1], said.text, said.sentence, said.span))
    return tuple(sorted(marks, key=lambda mark: (mark.start, _ORDER[mark.kind])))


def _words(
    words: Sequence[Word], at: Sequence[int], sentence: int, kinds: Container[str]
) -> Iterator[SpeechMark]:
    """Words, each with its syllables and visemes. at: where the symbols begin, and their end."""
    symbol, syllables, visemes = 0, "syllable" in kinds, "viseme" in kinds
    for word in words:
        first = symbol
        for syllable in word.syllables:
            phones, span = syllable_phones(syllable.pinyin)[0], syllable.span
            end = symbol + len(phones)
            if syllables:
                yield SpeechMark("syllable", at[symbol], at[end], syllable.pinyin, sentence, span)
            for n, phone in enumerate(phones if visemes else (), symbol):
                yield from _visemes(shapes(phone), at[n], at[n + 1], sentence, span)
            symbol = end
        if "word" in kinds:
            yield SpeechMark("word", at[first], at[symbol], word.text, sentence, word.span)
        if visemes:
            yield from _visemes((REST,), at[symbol], at[symbol + 1], sentence, None)
        symbol += 1


def _visemes(
    names: Sequence[str], start: int, end: int, sentence: int, span: tuple[int, int] | None
) -> Iterator[SpeechMark]:
    """Shapes one after the other, of even length; none where there is no time for them."""
    bounds = [start + (end - start) * n // len(names) for n in range(len(names) + 1)]
    for name, first, last in zip(names, bounds, bounds[1:], strict=False):
        if first < last:
            yield SpeechMark("viseme", first, last, name, sentence, span)
