"""What the front end is asked to read: a text, and what its writer settled about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engines.text.sentence import Unread
from engines.text.spans import Span

# Stands in a text for a syllable whose writing the front end is not to read: a rare character that
# is in no word, and that no step of normalisation touches.
STAND_IN: Final = "㐀"


@dataclass(frozen=True, slots=True)
class Unit:
    """Stand-ins from `start` to `end`, one for each syllable, for what was written as `written`."""

    start: int
    end: int
    written: str
    latin: bool


@dataclass(frozen=True, slots=True)
class Script:
    """A text to read.

    origin: the span of each character in the user's own text, () if the two are the same.
    readings: the syllable of a character by its index, said just so. units: see Unit.
    notes: what was wrong with the writing, for people. unread: what is left out for that.
    """

    text: str
    origin: Sequence[Span] = ()
    readings: Mapping[int, str] = field(default_factory=dict)
    units: tuple[Unit, ...] = ()
    notes: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()

    def span(self, start: int, end: int) -> Span:
        """The user's own characters for those from `start` to `end` of this text."""
        if not self.origin or start >= end:
            return start, end
        return self.origin[start][0], max(self.origin[start][0], self.origin[end - 1][1])


class Writer:
    """Writes a script piece by piece."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._origin: list[Span] = []
        self._readings: dict[int, str] = {}
        self._units: list[Unit] = []
        self._notes: list[str] = []
        self._unread: list[Unread] = []

    def copy(self, text: str, start: int) -> None:
        """Text as the user wrote it from index `start` on."""
        self._text.append(text)
        self._origin += [(n, n + 1) for n in range(start, start + len(text))]

    def say(self, text: str, span: Span) -> None:
        """Other text for what the user wrote there."""
        self._text.append(text)
        self._origin += [span] * len(text)

    def read(self, text: str, spans: Sequence[Span], syllables: Sequence[str]) -> None:
        """Chinese characters with a syllable each."""
        for character, span, syllable in zip(text, spans, syllables, strict=True):
            self._readings[len(self._origin)] = syllable
            self.say(character, span)

    def unit(self, written: str, span: Span, syllables: Sequence[str]) -> None:
        """Syllables for anything written."""
        start = len(self._origin)
        latin = syllables[0][0].isupper()
        self._units.append(Unit(start, start + len(syllables), written, latin))
        self.read(STAND_IN * len(syllables), [span] * len(syllables), syllables)

    def take(self, script: Script, start: int, end: int) -> None:
        """Characters `start` to `end` of another script, with all that is settled about them."""
        units = {unit.start: unit for unit in script.units}
        while start < end:
            unit = units.get(start)
            stop = unit.end if unit else start + 1
            spans = [script.span(n, n + 1) for n in range(start, stop)]
            if unit:
                spoken = [script.readings[n] for n in range(start, stop)]
                self.unit(unit.written, spans[0], spoken)
            elif start in script.readings:
                self.read(script.text[start], spans, [script.readings[start]])
            else:
                self.say(script.text[start], spans[0])
            start = stop

    def leave_out(self, unread: Unread, note: str) -> None:
        """Something that is not taken over, and why, for people."""
        self._unread.append(unread)
        self._notes.append(note)

    def script(self) -> Script:
        """All of it."""
        return Script(
            "".join(self._text),
            tuple(self._origin),
            self._readings,
            tuple(self._units),
            tuple(self._notes),
            tuple(self._unread),
        )
