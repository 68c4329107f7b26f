"""From recorded words to syllables as spoken, and on to KAN-TTS symbols."""

from __future__ import annotations

from collections.abc import Sequence

from engines.text.frontend import FrontEnd
from engines.text.sentence import Syllable, Word
from engines.text.symbols import symbols

SPEAKER = "F7"


class Reader:
    """Reads single words with the front end the voice will speak with.

    So the labels follow the same tone sandhi, neutral tones and erhua in training as at run time.
    """

    def __init__(self) -> None:
        self._front_end = FrontEnd()

    def syllables(self, word: str) -> tuple[str, ...]:
        """The syllables of one word as a speaker says it alone.

        Raises:
            TextError: the word cannot be read.
        """
        return tuple(
            syllable.pinyin
            for sentence in self._front_end.read(word)
            for group in sentence.words
            for syllable in group.syllables
        )


def word_symbols(syllables: Sequence[str]) -> list[str]:
    """Symbols of one word alone, its #4 included."""
    return symbols([Word("", tuple(map(Syllable, syllables)), 4)], speaker=SPEAKER)


def phrase_symbols(words: Sequence[tuple[Sequence[str], int]]) -> list[str]:
    """Symbols of words with the break after each: [(syllables, level), ...]."""
    return symbols(
        [Word("", tuple(map(Syllable, syllables)), level) for syllables, level in words],
        speaker=SPEAKER,
    )
