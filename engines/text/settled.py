"""Readings that are settled before a sentence is read: by inline pinyin, SSML or a lexicon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from engines.text.lexicon import Lexicon
from engines.text.script import Script, Unit
from engines.text.segment import Clause, Token
from engines.text.spans import Span


@dataclass(frozen=True, slots=True)
class Cut:
    """Characters `start` to `end` of a sentence are one word."""

    start: int
    end: int
    tag: str
    latin: bool = False


class Settled:
    """What is settled about one normalised sentence.

    text: the sentence. spans: of its characters in the script. readings: syllables by character.
    """

    def __init__(self, script: Script, text: str, spans: Sequence[Span], lexicon: Lexicon) -> None:
        self.text, self._script, self._spans = text, script, spans
        self.readings: dict[int, str] = {}
        self._cuts: list[Cut] = []
        for found in lexicon.find(text):
            self.readings.update(enumerate(found.entry.syllables, found.start))
            self._cuts.append(Cut(found.start, found.end, found.entry.pos))
        self.units = tuple(self._own()) if script.readings else ()

    def _own(self) -> Iterator[Unit]:
        """The script's readings and units, at their places in this sentence."""
        places = {span: place for place, span in enumerate(self._spans)}
        for place, (start, end) in enumerate(self._spans):
            if end - start == 1 and start in self._script.readings:
                self.readings[place] = self._script.readings[start]
        for unit in self._script.units:
            start = places.get((unit.start, unit.start + 1), -1)
            if start >= 0:
                end = start + unit.end - unit.start
                tag = "eng" if unit.latin else "n"
                self._cuts.append(Cut(start, end, tag, unit.latin))
                yield Unit(start, end, unit.written, unit.latin)

    def cut(self, clauses: Sequence[Clause]) -> None:
        """Make every settled word a token of its own; done before the tokens have readings."""
        for cut in self._cuts:
            for clause in clauses:
                if clause.tokens and _overlaps(clause, cut):
                    clause.tokens[:] = _recut(clause.tokens, cut)

    def apply(self, clauses: Sequence[Clause]) -> None:
        """Give the characters their settled syllables; done once before sandhi and once after."""
        if not self.readings:
            return
        for clause in clauses:
            for token in clause.tokens:
                places = list(character_places(self.text, token.text, token.start))
                if any(place in self.readings for place in places):
                    self._settle(token, places)

    def _settle(self, token: Token, places: Sequence[int]) -> None:
        settled = [self.readings.get(place, "") for place in places]
        if token.latin:
            token.syllables = settled
            return
        if len(token.syllables) == len(places) - 1:  # 儿 made one with the syllable before it
            base = settled[-2]
            if settled[-1] or (base and not base[:-1].endswith("r")):
                merged = token.syllables[-1]
                token.syllables[-1:] = [f"{merged[:-2]}{merged[-1]}", "er2"]
        elif len(places) > 1 and token.text[-1] == "儿" and not settled[-1]:
            base = settled[-2]
            if base[:-1].endswith("r") and base[:-1] != "er":
                token.syllables[-2:] = [base]
        for index, syllable in enumerate(settled[: len(token.syllables)]):
            if syllable:
                token.syllables[index] = syllable

    def written(self, text: str, places: Sequence[int]) -> str:
        """Text with what the user wrote where stand-ins are; `places` of its characters."""
        if not self.units:
            return text
        letters = list(text)
        for unit in self.units:
            count = unit.end - unit.start
            for index, place in enumerate(places):
                if unit.start <= place < unit.end:
                    share = place - unit.start
                    letters[index] = _share(unit.written, share, count)
        return "".join(letters)

    def span(self, places: Sequence[int]) -> Span:
        """The user's own characters for those at `places`."""
        starts, ends = zip(*(self._spans[place] for place in places), strict=True)
        return self._script.span(min(starts), max(ends))


def _share(written: str, index: int, count: int) -> str:
    """What stands for syllable `index` of `count`: never nothing."""
    start, end = index * len(written) // count, (index + 1) * len(written) // count
    return written[start:end] or ("·" if index else written[:1])


def character_places(text: str, part: str, start: int) -> Iterator[int]:
    """Where in `text`, from `start` on, the characters of `part` stand; some may be left out."""
    for character in part:
        start = text.index(character, start) + 1
        yield start - 1


def syllable_places(syllables: Sequence[str], places: Sequence[int]) -> Iterator[Sequence[int]]:
    """The characters of each syllable; a syllable with an r of its own has two of them.

    Where they do not go together (English), each syllable has all.
    """
    rhotic = len(places) - len(syllables)
    if rhotic < 0:
        yield from [places] * len(syllables)
        return
    start, shares = 0, list[Sequence[int]]()
    for syllable in syllables:
        long = rhotic > 0 and syllable[-2:-1] == "r" and syllable[:-1] != "er"
        rhotic -= long
        shares.append(places[start : start + 1 + long])
        start += 1 + long
    yield from [places] * len(syllables) if rhotic else shares


def _overlaps(clause: Clause, cut: Cut) -> bool:
    last = clause.tokens[-1]
    return clause.tokens[0].start < cut.end and cut.start < last.start + len(last.text)


def _recut(tokens: Sequence[Token], cut: Cut) -> Iterator[Token]:
    """The tokens with one for the cut, and what is left of those it takes from."""
    pieces: list[Token] = []
    for token in tokens:
        bounds = [token.start, *(p for p in (cut.start, cut.end) if _is_inside(p, token))]
        bounds.append(token.start + len(token.text))
        for start, end in pairwise(bounds):
            part = token.text[start - token.start : end - token.start]
            pieces.append(Token(part, token.tag, start, latin=token.latin))
    for inside, group in groupby(pieces, lambda t: cut.start <= t.start < cut.end):
        if inside:
            text = "".join(token.text for token in group)
            yield Token(text, cut.tag, cut.start, latin=cut.latin)
        else:
            yield from group


def _is_inside(place: int, token: Token) -> bool:
    return token.start < place < token.start + len(token.text)
