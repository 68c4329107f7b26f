"""Tones as spoken: 一, 不, repeated verbs and third tones, inside a word and across words.

Works on the tokens of one clause: no change reaches over a pause (#3).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from engines.text.numbers import NUMERALS, is_number
from engines.text.segment import Token, parts

_UNITS_OF_TEN: Final = frozenset("百千万亿")
_NOT_REPEATED: Final = frozenset(("加加", "处处", "时时", "往往", "天天"))
_PIECES: Final = frozenset("片粒颗个次瓶支盒袋包位天杯")
_TIMES: Final = frozenset("次遍回个趟天")
# 不 is neutral in the middle of these, as it is in A不A.
_NEUTRAL_BU: Final = frozenset(
    (
        *("差不多", "对不起", "了不起", "来不及", "怪不得", "舍不得", "恨不得", "巴不得", "用不着"),
        *("说不定", "看不见", "看不起", "看不懂", "听不懂", "听不见", "受不了", "忍不住", "吃不消"),
        *("睡不着", "睡不好", "行不通", "走不动", "听不清", "看不清", "拿不动", "说不清", "想不到"),
    )
)


@dataclass(slots=True)
class _Place:
    """One spoken syllable and the character it stands for."""

    token: Token
    index: int

    @property
    def character(self) -> str:
        return self.token.text[self.index]

    @property
    def tone(self) -> str:
        return self.token.syllables[self.index][-1]

    @tone.setter
    def tone(self, tone: str) -> None:
        self.token.syllables[self.index] = self.token.syllables[self.index][:-1] + tone


def apply_sandhi(tokens: list[Token]) -> None:
    """Change the syllables of a clause's tokens from citation to spoken tones, in place."""
    stretch: list[Token] = []
    coded = False  # the 一 of B1, T1, S1 is a digit
    for token in tokens:
        if token.latin:
            _apply(stretch, coded)
            stretch, coded = [], len(token.text) == 1 and token.text.isupper()
        else:
            stretch.append(token)
    _apply(stretch, coded)


def _apply(tokens: list[Token], coded: bool = False) -> None:
    places = [_Place(token, index) for token in tokens for index in range(len(token.syllables))]
    for index in reversed(range(len(places))):
        place = places[index]
        if place.tone == "5":
            continue
        if place.character == "一":
            place.tone = "1" if coded and _is_named(places, index) else _yi(places, index)
        elif place.character == "不":
            place.tone = _bu(places, index)
    for token, after in zip(tokens, [*tokens[1:], None], strict=False):
        if after is None or after.text[0] != token.text[0]:  # 买买买 keeps its tones
            _repeated_verb(token)
    for left, right, third in zip(tokens, tokens[1:], [*tokens[2:], None], strict=False):
        thrice = third is not None and third.text == right.text  # 买买买 keeps its tones
        if (
            left.text == right.text
            and not thrice
            and len(left.text) == 1
            and left.tag[:1] == right.tag[:1] == "v"
        ):
            _lower(_Place(left, 0), _Place(right, 0))
            right.syllables[0] = right.syllables[0][:-1] + "5"
    _third_tones(tokens)


def _neighbours(places: list[_Place], index: int) -> tuple[str, str]:
    before = places[index - 1].character if index else ""
    after = places[index + 1].character if index + 1 < len(places) else ""
    return before, after


def _text(places: list[_Place], start: int, length: int) -> str:
    return "".join(place.character for place in places[max(0, start) : start + length])


def _yi(places: list[_Place], index: int) -> str:
    before, after = _neighbours(places, index)
    place = places[index]
    if not after or before in ("第", "初") or after in ("月", "号", "楼"):
        return "1"
    rest = _text(places, index + 1, 3)
    if after == "刻":
        return "2"
    scored = before == "比" and _text(places, index - 2, 1) in NUMERALS
    if (before == "负" or scored) and after not in _UNITS_OF_TEN:
        return "1"
    if after == "比" and rest[1:2] and rest[1] in NUMERALS:
        return "1"
    if rest.startswith(("单元", "年级")) or (before == "从" and rest[0] in "数到"):
        return "1"
    if before in ("期", "拜") or (before == "周" and rest[0] not in _TIMES):
        return "1"
    if before == after and before not in NUMERALS:
        return "5"
    if _is_digit(places, index, before, after) or (before in ("月", "年") and after == "日"):
        return "1"
    if index and place.index == len(place.token.syllables) - 1 and len(place.token.text) > 1:
        return "1"
    return "2" if places[index + 1].tone in ("4", "5") else "4"


def _is_named(places: list[_Place], index: int) -> bool:
    """Whether the 一 after a letter is of a name, B1层, and does not count, 维生素C1片."""
    return index == 0 and _neighbours(places, index)[1] not in _UNITS_OF_TEN | _PIECES


def _is_digit(places: list[_Place], index: int, before: str, after: str) -> bool:
    """Whether this 一 is one digit of a longer number, which keeps yi1: 十一, 一二三, 一点五."""
    if "一点一点" in (_text(places, index, 4), _text(places, index - 2, 4)):
        return False
    if before and before in NUMERALS:
        return True
    if after == "点":
        return index + 2 < len(places) and places[index + 2].character in NUMERALS - {"点"}
    return after in NUMERALS and after not in _UNITS_OF_TEN


def _bu(places: list[_Place], index: int) -> str:
    before, after = _neighbours(places, index)
    if _text(places, index, 3) in ("不得了", "不得不", "不得已"):
        return "4"
    if (before and before == after) or places[index].token.text in _NEUTRAL_BU:
        return "5"
    return "2" if after and places[index + 1].tone == "4" else "4"


def _repeated_verb(token: Token) -> None:
    """看看 -> kan4 kan5; 想想 -> xiang2 xiang5."""
    text, syllables = token.text, token.syllables
    repeated = len(syllables) == 2 and text[0] == text[1]
    if repeated and token.tag.startswith("v") and text not in _NOT_REPEATED:
        if syllables[0][-1] == "3":
            syllables[0] = syllables[0][:-1] + "2"
        syllables[1] = syllables[1][:-1] + "5"


def _third_tones(tokens: list[Token]) -> None:
    """Third before third becomes second: in the smallest words first, then right to left."""
    pieces: list[list[_Place]] = []
    for token in tokens:
        start = 0
        for length in _lengths(token):
            pieces.append([_Place(token, index) for index in range(start, start + length)])
            start += length
    for piece in pieces:
        for left, right in reversed(list(pairwise(piece))):
            _lower(left, right)
    for first, second in reversed(list(pairwise(pieces))):
        _lower(first[-1], second[0])


def _lower(left: _Place, right: _Place) -> None:
    if left.tone == "3" and right.tone == "3":
        left.tone = "2"


def _lengths(token: Token) -> list[int]:
    """How a word falls into the pieces inside which third tones change first."""
    count = len(token.syllables)
    if count <= 2:
        return [count]
    if is_number(token.text):
        return [count % 2, *[2] * (count // 2)] if count % 2 else [2] * (count // 2)
    lengths = [len(part) for part in parts(token.text[:count])]
    if lengths == [count]:
        return [2] * (count // 2) + [1] * (count % 2)
    return lengths
