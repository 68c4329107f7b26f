"""Words and parts of speech: a sentence cut into clauses of tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import rjieba

from engines.text.characters import HAN_RUN
from engines.text.normalize import PAUSES
from engines.text.numbers import LONGEST_NUMBER, NUMERALS, number_parts

_LONG_NUMBER: Final = re.compile(f"[{''.join(sorted(NUMERALS))}]{{3,}}")
_STAND_IN: Final = "三"
# A word rjieba guessed (it is not in its dictionary) and that holds one of these is a bad guess.
_LOOSE: Final = frozenset("我你他她它们您了着过的得地在是很不就都也还和跟把被给去说请吗吧呢这那到")
# Where rjieba joins what does not belong together: 限|高三|米, 三号|线往, 东西 of 东|西两侧.
_CUT: Final = re.compile(
    "(限高|限宽|东(?=西(?:两侧|两端|两岸|走向|方向|双向))|(?<=号)(?:线(?!路)|楼(?![层梯])))"
)
_LONGEST_WORD = 16
# A Latin word longer than any is cut, so that spelling it cannot fill a sentence.
_SPAN: Final = re.compile(
    rf"({HAN_RUN.pattern})|([A-Za-z][A-Za-z']{{0,22}}[A-Za-z]|[A-Za-z])|(.)", re.S
)


@dataclass(slots=True)
class Token:
    """A lexical word. syllables: citation readings first, as spoken after sandhi."""

    text: str
    tag: str
    start: int
    latin: bool = False
    syllables: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Clause:
    """Tokens up to a pause, and the punctuation there."""

    tokens: list[Token]
    marks: str = ""


def clauses(sentence: str) -> list[Clause]:
    """The clauses of a normalised sentence; punctuation before the first falls away."""
    result = [Clause([])]
    for match in _SPAN.finditer(sentence):
        if match[3]:
            if match[3] in PAUSES and result[-1].tokens:
                result[-1].marks += match[3]
            continue
        if result[-1].marks:
            result.append(Clause([]))
        if match[1]:
            result[-1].tokens.extend(_han_tokens(match[1], match.start()))
        else:
            result[-1].tokens.append(Token(match[2], "eng", match.start(), latin=True))
    return [clause for clause in result if clause.tokens]


def _han_tokens(run: str, start: int) -> Iterator[Token]:
    """Tokens of a run of Chinese characters; a long number counts as one character for rjieba."""
    originals: list[str] = []
    position = 0
    for match in _LONG_NUMBER.finditer(run):
        originals += [*run[position : match.start()], match[0]]
        position = match.end()
    originals += run[position:]
    shadow = "".join(text if len(text) == 1 else _STAND_IN for text in originals)
    index = 0
    for word, tag in _words(shadow):
        pieces = originals[index : index + len(word)]
        text = "".join(pieces)
        numeric = len(text) > len(word)
        for part in _with_number(pieces) if numeric else [text]:
            yield Token(part, "m" if numeric else tag, start)
            start += len(part)
        index += len(word)


def _with_number(pieces: list[str]) -> list[str]:
    """A word with a long number in it, in groups as they are said: 第|四十七|届 -> 第四十七届."""
    place = next(index for index, piece in enumerate(pieces) if len(piece) > 1)
    before, first, *rest = "".join(pieces[:place]), *number_parts("".join(pieces[place:]))
    if before and len(before) + len(first) > LONGEST_NUMBER:
        return [before, first, *rest]
    return [before + first, *rest]


def _words(text: str) -> Iterator[tuple[str, str]]:
    for word, tag in chain.from_iterable(map(rjieba.tag, _CUT.split(text))):
        if len(word) > 1 and not _LOOSE.isdisjoint(word) and not rjieba.has_word(word):
            yield from rjieba.tag(word, False)
        else:
            yield word, tag


def words(text: str) -> list[str]:
    """The words of any text, in order, nothing left out."""
    found: list[str] = rjieba.cut(text)
    return found


def parts(word: str) -> list[str]:
    """The shorter dictionary words a word is made of: 今天天气 -> 今天, 天气.

    Single characters may be left over: 老板娘 -> 老板, 娘. [word] where there are no shorter ones.
    """
    if len(word) > _LONGEST_WORD:
        return [word]
    shorter = {part for part in rjieba.cut_for_search(word, False) if 1 < len(part) < len(word)}
    best = _tile(word, shorter)
    return best if best is not None else [word]


def _tile(word: str, shorter: set[str]) -> list[str] | None:
    if not shorter:
        return None
    tilings: list[list[str] | None] = [[]]
    for end in range(1, len(word) + 1):
        options = []
        for begin in range(max(0, end - 4), end):
            left, piece = tilings[begin], word[begin:end]
            if left is not None and (piece in shorter or len(piece) == 1):
                options.append([*left, piece])
        tilings.append(min(options, key=_cost) if options else None)
    return tilings[-1]


def _cost(tiling: list[str]) -> tuple[int, int]:
    return sum(len(part) == 1 for part in tiling), len(tiling)
