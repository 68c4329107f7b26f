"""Prosodic words and breaks in the manner of ttsfrd: #1 between words, #3 at pauses, #4 at the end.

A pause inside a sentence is always #3 and no #2 is set: so does the one long public ttsfrd line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from engines.text.numbers import LONGEST_NUMBER, NUMERALS, is_number
from engines.text.segment import Clause, Token, parts

_PARTICLES: Final = frozenset("的地得了着过们吗呢吧啊呀啦嘛哦呗儿")
_FOLLOWERS: Final = frozenset("里上下中内外前后边间起来去个次年月日号点分秒元块岁度米楼层")
_AFTER_NUMBERS: Final = frozenset("半整克升伏瓦吨斤")
_FOLLOWING_TAGS: Final = ("u", "y", "q", "f", "k")
_LONGEST = 4  # characters of a prosodic word; one more for a particle


@dataclass(frozen=True, slots=True)
class Group:
    """A prosodic word in the making. marks: the punctuation after it, if its clause ends here."""

    text: str
    syllables: tuple[str, ...]
    tag: str
    latin: bool = False
    marks: str = ""


def groups(clauses: list[Clause]) -> list[Group]:
    """The prosodic words of a sentence, tones as spoken."""
    result: list[Group] = []
    for clause in clauses:
        joined = _join([piece for token in clause.tokens for piece in _pieces(token)])
        if joined:
            result += [*joined[:-1], replace(joined[-1], marks=clause.marks)]
        elif result:
            result[-1] = replace(result[-1], marks=result[-1].marks + clause.marks)
    return result


def _pieces(token: Token) -> list[Group]:
    """A token cut where a word of four or more characters, or a long number, falls apart."""
    number = token.tag == "m" and len(token.text) <= LONGEST_NUMBER
    if token.latin or len(token.text) < 4 or number or is_number(token.text[:3]):
        cuts = [token.text]
    else:
        cuts = _word_parts(token.text)
    result, start = [], 0
    for cut in cuts:
        last = start + len(cut) == len(token.text)
        end = None if last or token.latin else start + len(cut)
        syllables = tuple(token.syllables[start:end])
        if syllables:
            result.append(Group(cut, syllables, token.tag, token.latin))
        start += len(cut)
    return result


def _word_parts(word: str) -> list[str]:
    cuts = parts(word)
    if cuts == [word] and len(word) > _LONGEST + 1:
        return [word[start : start + _LONGEST] for start in range(0, len(word), _LONGEST)]
    if len(word) == 4 and any(len(cut) == 1 for cut in cuts):
        return [word]
    result: list[str] = []
    for cut in cuts:
        if result and len(cut) + len(result[-1]) <= 3 and 1 in (len(cut), len(result[-1])):
            result[-1] += cut
        else:
            result.append(cut)
    return result


def _join(pieces: list[Group]) -> list[Group]:
    result: list[Group] = []
    for piece in pieces:
        if result and _joins(result[-1], piece):
            left = result[-1]
            result[-1] = replace(
                left, text=left.text + piece.text, syllables=left.syllables + piece.syllables
            )
        else:
            result.append(piece)
    return result


def _joins(left: Group, right: Group) -> bool:
    """Whether a one-character word leans on the word before it; two such words make a pair."""
    if left.latin or right.latin:
        return False
    if left.text.endswith("分") and right.text.startswith("之"):
        return len(left.text) + len(right.text) <= LONGEST_NUMBER
    if len(right.text) != 1:
        return False
    if left.text[0] in NUMERALS and left.text.endswith("号") and right.text in "线楼":
        return True
    length = len(left.text) + 1
    numeric = left.text[0] in NUMERALS
    if right.text in _PARTICLES:
        return length <= _LONGEST + 1
    if (
        right.tag.startswith(_FOLLOWING_TAGS)
        or right.text in _FOLLOWERS
        or (numeric and right.text in _AFTER_NUMBERS)
    ):
        return length <= (LONGEST_NUMBER if numeric else _LONGEST)
    return len(left.text) == 1 and right.text != "零" and right.tag != "c" and not numeric
