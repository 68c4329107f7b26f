"""The Mandarin text front end: any text in, sentences with syllables as spoken and breaks out."""

from __future__ import annotations

import unicodedata
from collections.abc import Generator

from engines.errors import TextError
from engines.text.english import English
from engines.text.english_numbers import english_runs
from engines.text.inline import inline
from engines.text.lexicon import Lexicon
from engines.text.normalize import Normalizer, NormalSentence
from engines.text.prosody import Group, groups
from engines.text.readings import Readings
from engines.text.sandhi import apply_sandhi
from engines.text.script import Script
from engines.text.segment import clauses
from engines.text.sentence import Sentence, Syllable, Unread, Word
from engines.text.settings import TextSettings
from engines.text.settled import Settled, character_places, syllable_places
from engines.text.spans import Aligner
from engines.text.unread import Ledger


class FrontEnd:
    """Loads dictionaries, grammars and weights once; `read` may be called from several threads.

    lexicon, settings: of this system; both may be replaced while texts are read.
    """

    def __init__(
        self, lexicon: Lexicon | None = None, settings: TextSettings | None = None
    ) -> None:
        self.lexicon = lexicon or Lexicon()
        self.settings = settings or TextSettings()
        self._normalizer = Normalizer()
        self._readings = Readings()
        self._english = English()

    def read(
        self,
        text: str | Script,
        lexicon: Lexicon | None = None,
        unread: list[Unread] | None = None,
    ) -> list[Sentence]:
        """Sentences of a text, of any length.

        What cannot be read is left out and named in the notes of its sentence. Pinyin in braces
        after a character is its reading: 行{hang2}. lexicon: words that stand above the system's.
        unread: takes up what is not in the speech, in its order in the text.
        Raises TextError: text_empty where there are no words at all (blanks, signs, emoji),
        text_unreadable where there are words, but none in Chinese or Latin letters.
        """
        result: list[Sentence] = []
        source = self.sentences(text, lexicon, unread)
        while True:
            try:
                result.append(next(source))
            except StopIteration as end:
                return _noted(result, end.value)

    def sentences(
        self,
        text: str | Script,
        lexicon: Lexicon | None = None,
        unread: list[Unread] | None = None,
    ) -> Generator[Sentence, None, list[str]]:
        """The same, sentence by sentence, each read when it is asked for.

        Errors come before the first. `unread` grows as sentences are read, and is whole after the
        last. Returns the characters left out after the last.
        """
        words_known = (lexicon or Lexicon()).over(self.lexicon)
        script = inline(text) if isinstance(text, str) else text
        script = english_runs(words_known.written(script))
        aligner, ledger = Aligner(script.text), Ledger(script)
        unread = [] if unread is None else unread
        unread += script.unread
        spoken = False
        pending, before = list[str](), list[str]()
        notes = script.notes
        for normal in self._normalizer.sentences(script.text, self.settings):
            spans = aligner.take(normal.text, normal.dropped)
            settled = Settled(script, normal.text, spans, words_known)
            words, dropped = self._words(normal, settled)
            pending += dropped
            unread += ledger.take(aligner.at, spans, (*before, *pending))
            before = dropped
            if words:
                spoken = True
                yield _sentence(words, normal, settled, (*notes, *_dropped(pending)))
                pending, notes = [], ()
        if not spoken:
            raise _nothing_to_read(script.text)
        unread += ledger.take(len(script.text), (), (*before, *pending))
        return pending

    def _words(self, normal: NormalSentence, settled: Settled) -> tuple[list[Group], list[str]]:
        parsed = clauses(normal.text)
        settled.cut(parsed)
        unread = self._readings.read(normal.text, parsed)
        for clause in parsed:
            for token in clause.tokens:
                if token.latin:
                    token.syllables = [s.pinyin for s in self._english.read(token.text)]
        settled.apply(parsed)
        for clause in parsed:
            apply_sandhi(clause.tokens)
        settled.apply(parsed)
        return groups(parsed), [*normal.dropped, *unread]


def _sentence(
    words: list[Group], normal: NormalSentence, settled: Settled, notes: tuple[str, ...]
) -> Sentence:
    last = len(words) - 1
    spoken, start = list[Word](), 0
    for index, word in enumerate(words):
        places = list(character_places(normal.text, word.text, start))
        start = places[-1] + 1
        shares = syllable_places(word.syllables, places)
        syllables = tuple(
            Syllable(pinyin, settled.span(share))
            for pinyin, share in zip(word.syllables, shares, strict=True)
        )
        level = 4 if index == last else 3 if word.marks else 1
        marks = word.marks + "\n" if index == last and normal.newline else word.marks
        spoken.append(Word(settled.written(word.text, places), syllables, level, marks))
    text = settled.written(normal.text, range(len(normal.text)))
    return Sentence(text, tuple(spoken), notes)


def _noted(sentences: list[Sentence], dropped: list[str]) -> list[Sentence]:
    """The sentences, the last with a note of what was left out after it."""
    if dropped:
        last = sentences[-1]
        sentences[-1] = Sentence(last.text, last.words, (*last.notes, _note(dropped)))
    return sentences


def _dropped(dropped: list[str]) -> tuple[str, ...]:
    return (_note(dropped),) if dropped else ()


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
