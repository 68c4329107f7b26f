"""Where in the audio the sentences, words and syllables of a text begin and end.

The acoustic model predicts how long each symbol lasts before the first frame is decoded, and
exactly so long it then is; so marks are known ahead of the audio and need no alignment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from engines.text.clauses import phone_count, symbol_count
from engines.text.sentence import Word

Kind = Literal["sentence", "word", "syllable"]


@dataclass(frozen=True, slots=True)
class SpeechMark:
    """What is said from sample `start` of a stream, its first being 0, to before sample `end`.

    text: a sentence or a word as the normalised text has it, without the punctuation after a
    word; a syllable as it is said, tone sandhi applied ("ni2"; English as "W AY1"). sentence: its
    number. The end of a sentence that is spoken in parts is that of its first part.
    """

    kind: Kind
    start: int
    end: int
    text: str
    sentence: int


@dataclass(frozen=True, slots=True)
class Said:
    """The words of a part, in the order of its symbols, and of which sentence they are.

    text: of the sentence, in its first part; else empty.
    """

    words: tuple[Word, ...]
    sentence: int
    text: str = ""


def speech_marks(
    said: Said, durations: npt.NDArray[np.int64], hop: int, start: int
) -> tuple[SpeechMark, ...]:
    """Marks in the order in which they begin, what holds others before those.

    durations: frames (T,) of each symbol: the phones of a word, and behind them its break.
    hop: samples per frame. start: sample at which the part begins.

    Raises:
        ValueError: there are not as many durations as symbols.
    """
    symbols = sum(map(symbol_count, said.words))
    if symbols != len(durations):
        raise ValueError(f"{len(durations)} durations for {symbols} symbols")
    at = [start + hop * int(frames) for frames in (0, *np.cumsum(durations))]
    marks = list(_words(said.words, at, said.sentence))
    if said.text:
        marks.insert(0, SpeechMark("sentence", at[0], at[-1], said.text, said.sentence))
    return tuple(marks)


def _words(words: Sequence[Word], at: Sequence[int], sentence: int) -> Iterator[SpeechMark]:
    """Words, each with its syllables. at: samples where the symbols begin, and their end."""
    symbol = 0
    for word in words:
        ends = [symbol]
        for syllable in word.syllables:
            ends.append(ends[-1] + phone_count(syllable))
        yield SpeechMark("word", at[symbol], at[ends[-1]], word.text, sentence)
        for syllable, first, last in zip(word.syllables, ends, ends[1:], strict=False):
            yield SpeechMark("syllable", at[first], at[last], syllable.pinyin, sentence)
        symbol = ends[-1] + 1
