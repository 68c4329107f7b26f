"""Texts that were read before: what is said twice need not be read twice."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from engines.pipeline import Part, Plan
from engines.style import Controls, Style
from engines.text.lexicon import Lexicon
from engines.text.sentence import ENGLISH, Unread
from engines.text.settings import TextSettings

Markup = Literal["text", "ssml", "symbols"]
SYMBOLS = 20_000  # of all texts that are remembered, about 6000 syllables; some 200 bytes each


@dataclass(frozen=True, slots=True)
class Reading:
    """All that a reading depends on.

    own, system: the lexicons of the voice and the system, new objects whenever they change.
    """

    text: str
    style: Style
    markup: Markup
    lexicon: Lexicon
    own: Lexicon
    system: Lexicon
    settings: TextSettings

    @property
    def name(self) -> tuple[str, Style, Markup]:
        """What it is looked up by."""
        return self.text, self.style, self.markup

    def same(self, other: Reading) -> bool:
        """Whether it is read by the same words too."""
        by = self.own is other.own and self.system is other.system
        return by and self.settings == other.settings and self.lexicon == other.lexicon


@dataclass(frozen=True, slots=True)
class Known:
    """A text as it was read: every part of it, how it is said, and what of it is not in them."""

    reading: Reading
    parts: tuple[Part, ...]
    controls: Controls
    unread: tuple[Unread, ...] = ()

    @property
    def symbols(self) -> int:
        return sum(len(part.ids) for part in self.parts)


class Memo:
    """The texts last read by one voice; the longest unused goes first. Any thread may ask."""

    def __init__(self, symbols: int = SYMBOLS) -> None:
        """symbols: of all texts together, at most."""
        self._limit, self._size = symbols, 0
        self._known: OrderedDict[tuple[str, Style, Markup], Known] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, reading: Reading) -> Known | None:
        """What was read, and a note that it was of use."""
        with self._lock:
            known = self._known.get(reading.name)
            if known is None or not known.reading.same(reading):
                return None
            self._known.move_to_end(reading.name)
            return known

    def follow(self, reading: Reading, plan: Plan) -> Plan:
        """The same plan; once all its parts were taken they are remembered."""
        return replace(plan, parts=self._taken(reading, plan))

    def _taken(self, reading: Reading, plan: Plan) -> Iterator[Part]:
        taken = []
        for part in plan.parts:
            taken.append(part)
            yield part
        unread = tuple(one for one in plan.unread if one.code != ENGLISH)  # that is told once
        self._put(Known(reading, tuple(taken), plan.controls, unread))

    def _put(self, known: Known) -> None:
        if known.symbols > self._limit:
            return
        with self._lock:
            old = self._known.pop(known.reading.name, None)
            self._known[known.reading.name] = known
            self._size += known.symbols - (old.symbols if old else 0)
            while self._size > self._limit:
                _, gone = self._known.popitem(last=False)
                self._size -= gone.symbols
