"""What the front end hands on: sentences of prosodic words of syllables, as they are spoken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Syllable:
    """One spoken syllable.

    pinyin: Mandarin as spoken, sandhi and erhua applied, tone digit 1-5: "ni2", "lv4", "huar1".
        English: ARPAbet with stress on the vowel, phones apart by spaces: "W AY1".
    """

    pinyin: str


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


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as it is written and as it is said; see `engines.text.clauses` for long ones.

    text: the normalised text. notes: what could not be read and was left out, for people.
    """

    text: str
    words: tuple[Word, ...]
    notes: tuple[str, ...] = ()
