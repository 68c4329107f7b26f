"""The Mandarin text front end: any text in, sentences with syllables as spoken and breaks out."""

from __future__ import annotations

import unicodedata
from collections.abc import Generator

from engines.errors import TextError
from engines.text.english import English
from engines.text.normalize import Normalizer, NormalSentence
from engines.text.prosody import Group, groups
from engines.text.readings import Readings
from engines.text.sandhi import apply_sandhi
from engines.text.segment import clauses
from engines.text.sentence import Sentence, Syllable, Word


class FrontEnd:
    """Loads dictionaries, grammars and weights once; `read` may be called from several threads."""

    def __init__(self) -> None:
        self._normalizer = Normalizer()
        self._readings = Readings()
        self._english = English()

    def read(self, text: str) -> list[Sentence]:
        """Sentences of a text, of any length.

        What cannot be read is left out and named in the notes of its sentence.
        Raises TextError: text_empty where there are no words at all (blanks, signs, emoji),
        text_unreadable where there are words, but none in Chinese or Latin letters.
        """
        result: list[Sentence] = []
        source = self.sentences(text)
        while True:
            try:
                result.append(next(source))
            except StopIteration as end:
                return _noted(result, end.value)

    def sentences(self, text: str) -> Generator[Sentence, None, list[str]]:
        """The same, sentence by sentence, each read when it is asked for.

        Errors come before the first. Returns the characters left out after the last.
        """
        spoken = False
        pending: list[str] = []
        for normal in self._normalizer.sentences(text):
            words, dropped = self._words(normal)
            pending += dropped
            if words:
                spoken = True
                yield _sentence(words, normal, pending)
                pending = []
        if not spoken:
            raise _nothing_to_read(text)
        return pending

    def _words(self, normal: NormalSentence) -> tuple[list[Group], list[str]]:
        parsed = clauses(normal.text)
        unread = self._readings.read(normal.text, parsed)
        for clause in parsed:
            apply_sandhi(clause.tokens)
            for token in clause.tokens:
                if token.latin:
                    token.syllables = [s.pinyin for s in self._english.read(token.text)]
        return groups(parsed), [*normal.dropped, *unread]


def _sentence(words: list[Group], normal: NormalSentence, dropped: list[str]) -> Sentence:
    last = len(words) - 1
    return Sentence(
        normal.text,
        tuple(
            Word(
                word.text,
                tuple(Syllable(pinyin) for pinyin in word.syllables),
                4 if index == last else 3 if word.marks else 1,
                word.marks + "\n" if index == last and normal.newline else word.marks,
            )
            for index, word in enumerate(words)
        ),
        (_note(dropped),) if dropped else (),
    )


def _noted(sentences: list[Sentence], dropped: list[str]) -> list[Sentence]:
    """The sentences, the last with a note of what was left out after it."""
    if dropped:
        last = sentences[-1]
        sentences[-1] = Sentence(last.text, last.words, (*last.notes, _note(dropped)))
    return sentences


def _note(dropped: list[str]) -> str:
    unique = list(dict.fromkeys(dropped))
    shown = " ".join(f"{c} (U+{ord(c):04X})" for c in unique[:12])
    more = f" and {len(unique) - 12} more" if len(unique) > 12 else ""
    return f"left out, cannot be read: {shown}{more}"


def _nothing_to_read(text: str) -> TextError:
    if any(unicodedata.category(character)[0] in "LN" for character in text):
        return TextError(
            "text_unreadable",
            "nothing in this text can be read: write it in Chinese characters, Latin letters "
            "or digits",
        )
    return TextError(
        "text_empty",
        "there is nothing to say: the text holds no words; send at least one character, "
        "letter or digit",
    )
