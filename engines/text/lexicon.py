"""Words whose reading the owner of a system, a voice or a request has settled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from engines.errors import LexiconError, TextError
from engines.text.characters import HAN_RUN
from engines.text.pronunciation import syllables
from engines.text.script import STAND_IN, Script, Writer

LONGEST_WORD: Final = 32  # characters
_POS: Final = re.compile(r"[a-z]{1,3}")
_INSIDE: Final = re.compile(r"[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A word as it is said: its syllables are spoken just so, no tone sandhi changes them.

    pos: part of speech as jieba writes it (n, v, nr, ...); it tells where a break may go.
    """

    word: str
    syllables: tuple[str, ...]
    pos: str = "n"

    @classmethod
    def of(cls, word: str, pinyin: str, pos: str = "") -> Entry:
        """The entry, checked; pinyin is what `engines.text.pronunciation.syllables` takes.

        Raises LexiconError(bad_lexicon).
        """
        word = word.strip()
        if not word or len(word) > LONGEST_WORD:
            raise _bad(f"a word has 1 to {LONGEST_WORD} characters, not {len(word)}")
        if STAND_IN in word or re.search(r"[\x00-\x1f\ud800-\udfff]", word):
            raise _bad(f"{word!r} holds a character no lexicon can; leave it out")
        try:
            spoken = syllables(pinyin)
        except TextError as error:
            raise _bad(str(error)) from error
        han = HAN_RUN.fullmatch(word)
        rhotic = word[-1] == "儿" and re.search("[^e]r[1-5]$", spoken[-1]) is not None
        if han and len(spoken) != len(word) - rhotic:
            raise _bad(
                f"{word} has {len(word)} characters and {len(spoken)} syllables "
                f"({' '.join(spoken)}); give one syllable for each character"
            )
        if len({syllable[0].isupper() for syllable in spoken}) > 1:
            raise _bad(f"{word}: pinyin and ARPAbet do not go together in one word")
        if han and spoken[0][0].isupper():
            raise _bad(f"{word}: Chinese characters are said in pinyin, not in ARPAbet")
        pos = pos.strip() or "n"
        if not _POS.fullmatch(pos):
            raise _bad(f"{pos!r} is not a part of speech; write it as jieba does: n, v, nr, ns")
        return cls(word, spoken, pos)


def _bad(message: str) -> LexiconError:
    return LexiconError("bad_lexicon", message)


@dataclass(frozen=True, slots=True)
class Found:
    """A word of a lexicon at characters `start` to `end` of a text."""

    start: int
    end: int
    entry: Entry


@dataclass(frozen=True)
class Lexicon:
    """Entries by word."""

    entries: Mapping[str, Entry] = field(default_factory=dict)

    def over(self, other: Lexicon) -> Lexicon:
        """Both, the readings of this one where both have a word."""
        if not self.entries or not other.entries:
            return self if self.entries else other
        return Lexicon({**other.entries, **self.entries})

    def find(self, text: str) -> Iterator[Found]:
        """The Chinese words of the lexicon in a text, from the left, the longest first."""
        start = 0
        while self._han and start < len(text):
            for length in self._han.get(text[start], ()):
                entry = self.entries.get(text[start : start + length])
                if entry is not None:
                    yield Found(start, start + length, entry)
                    start += length - 1
                    break
            start += 1

    def written(self, script: Script) -> Script:
        """The script with its other words (Latin letters, digits, signs) as units to be said.

        They are taken without regard to case, and not out of longer runs of letters and digits.
        """
        if self._pattern is None:
            return script
        matches = [m for m in self._pattern.finditer(script.text) if _stands_alone(m)]
        if not matches:
            return script
        writer, place = Writer(), 0
        for match in matches:
            writer.take(script, place, match.start())
            entry = self._others[match[0].lower()]
            writer.unit(match[0], script.span(*match.span()), entry.syllables)
            place = match.end()
        writer.take(script, place, len(script.text))
        return replace(writer.script(), notes=script.notes, unread=script.unread)

    @cached_property
    def _han(self) -> dict[str, tuple[int, ...]]:
        """Lengths of the Chinese words by first character, the longest first."""
        lengths: dict[str, set[int]] = {}
        for word in self.entries:
            if HAN_RUN.fullmatch(word):
                lengths.setdefault(word[0], set()).add(len(word))
        return {first: tuple(sorted(sizes, reverse=True)) for first, sizes in lengths.items()}

    @cached_property
    def _others(self) -> dict[str, Entry]:
        return {w.lower(): e for w, e in self.entries.items() if not HAN_RUN.fullmatch(w)}

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        if not self._others:
            return None
        longest_first = sorted(self._others, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)


def _stands_alone(match: re.Match[str]) -> bool:
    """Whether no Latin letter or digit beside it belongs to the same word."""
    text, (start, end) = match.string, match.span()
    before = start and _INSIDE.match(text[start]) and _INSIDE.match(text[start - 1])
    after = end < len(text) and _INSIDE.match(text[end - 1]) and _INSIDE.match(text[end])
    return not before and not after
