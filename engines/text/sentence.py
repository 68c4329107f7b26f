"""What the front end hands on: sentences of prosodic words of syllables, as they are spoken."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Syllable:
    """One spoken syllable.

    pinyin: Mandarin as spoken, sandhi and erhua applied, tone digit 1-5: "ni2", "lv4", "huar1".
        English: ARPAbet with stress on the vowel, phones apart by spaces: "W AY1".
    span: the characters of the user's own text it is for, from the first up to the one after the
        last. What was read as one thing has one span: every syllable of "3.5" that of all of it.
    """

    pinyin: str
    span: tuple[int, int] = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Word:
    """A prosodic word: what is said without a break.

    break_after: level of the break that follows, 1 (none to speak of) to 4 (end of the sentence).
    marks: the punctuation that follows, as in the normalised text; "\\n" where a line ends.
    """

    text: str
    syllables: tuple[Syllable, ...]
    break_after: int
    marks: str = ""

    @property
    def span(self) -> tuple[int, int]:
        """The characters of the user's own text it is for."""
        spans = [syllable.span for syllable in self.syllables]
        return min(start for start, _ in spans), max(end for _, end in spans)


ENGLISH: Final = "english_as_mandarin"


@dataclass(frozen=True, slots=True)
class Unread:
    """Characters that are not in the speech, or not as they should be, and why.

    code: emoji_left_out (emoji and other pictures), character_unreadable (of a script that is not
        read, or a sign that has no name), pinyin_refused (inline pinyin that cannot be said),
        english_as_mandarin (the first English word of a voice that was not trained on English),
        more_left_out (the 1,001st place; those after it are not told).
    text: the characters. start, end: their span in the user's own text.
    """

    code: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as it is written and as it is said; see `engines.text.clauses` for long ones.

    text: the normalised text. notes: what could not be read and was left out, for people.
    """

    text: str
    words: tuple[Word, ...]
    notes: tuple[str, ...] = ()
