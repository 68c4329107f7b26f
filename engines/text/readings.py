"""Readings of Chinese characters: by phrase, else by a neural choice, else the usual one."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

from engines.text.characters import HAN
from engines.text.contexts import Contexts
from engines.text.g2pm import G2pM
from engines.text.numbers import is_number
from engines.text.pinyin_table import first_reading, phrases
from engines.text.segment import Clause, Token, parts
from engines.text.symbols import has_syllable

DATA: Final = Path(__file__).parent / "data" / "words"

# Characters whose everyday reading is the safe one where no phrase says otherwise, and those
# pypinyin spells in a way KAN-TTS has no phones for.
_USUAL: Final = dict(
    line.split() for line in (DATA / "usual.txt").read_text(encoding="utf-8").splitlines()
)
_OWN: Final = {
    word: readings
    for word, *readings in map(
        str.split, (DATA / "phrases.txt").read_text(encoding="utf-8").splitlines()
    )
}
_LONGEST_PHRASE = 16
_SURNAMES: Final = dict(
    line.split() for line in (DATA / "surnames.txt").read_text(encoding="utf-8").splitlines()
)
_FOREIGN: Final = ("查理", "查尔", "查克", "查德", "盖茨", "盖伊", "华生", "华莱")
# What begins after 得 where it is the verb "to get", and where it says how something is.
_GOT: Final = (
    "的",
    "流感",
    "感冒",
    "肺炎",
    "糖尿病",
    "金牌",
    "大奖",
    "了",
    "到",
    "过",
    "奖",
    "票",
    "病",
    "知",
    "胜",
    "冠军",
    "第",
    "分",
)
_HOW: Final = ("很", "多", "好")
_HOW_ALONE: Final = re.compile("很.{1,2}")
_EXTREME: Final = ("不得了", "要命", "厉害", "不行", "要死")
_ERHUA_BASES: Final = frozenset(
    "罩盖汁口同棍孩伙盘碗杯瓶根圈样法点花哪这那玩事会块边头活份条味脸眼劲词歌曲门空闲信今明昨底面片"
)


class Readings:
    """Fills in the syllables of tokens, in citation form with lexical neutral tones and erhua."""

    def __init__(self) -> None:
        self._g2pm = G2pM()
        self._contexts = Contexts()
        self._neutral = frozenset((DATA / "neutral.txt").read_text(encoding="utf-8").split())
        self._not_erhua = frozenset((DATA / "not_erhua.txt").read_text(encoding="utf-8").split())
        self._full_zi = frozenset((DATA / "full_zi.txt").read_text(encoding="utf-8").split())

    def read(self, sentence: str, clauses: list[Clause]) -> tuple[str, ...]:
        """Give every Chinese token its syllables; returns the characters nothing can read."""
        tokens = [t for clause in clauses for t in clause.tokens if not t.latin]
        open_places: list[tuple[Token, int]] = []
        for token in tokens:
            token.syllables = _phrase_readings(token.text)
            if token.tag.startswith("nr") and token.text[0] in _SURNAMES:
                _surname(token)
            for index, character in enumerate(token.text):
                if not token.syllables[index]:
                    reading = self._contexts.read(sentence, token.start + index)
                    token.syllables[index] = reading or _USUAL.get(character, "")
                if not token.syllables[index] and self._g2pm.is_polyphone(character):
                    open_places.append((token, index))
        positions = [token.start + index for token, index in open_places]
        chosen = self._g2pm.read(sentence, positions)
        for (token, index), reading in zip(open_places, chosen, strict=True):
            token.syllables[index] = reading
        for clause in clauses:
            _particles(clause.tokens)
        unread: dict[str, None] = {}
        for token in tokens:
            self._finish(token, unread)
        for clause in clauses:
            clause.tokens[:] = [t for t in clause.tokens if t.latin or t.syllables]
            _join_erhua(clause.tokens)
        return tuple(unread)

    def _finish(self, token: Token, unread: dict[str, None]) -> None:
        """Defaults for what is still open, neutral tones, erhua inside the word."""
        kept: list[tuple[str, str]] = []
        for character, reading in zip(token.text, token.syllables, strict=True):
            syllable = reading or _default(character)
            if syllable and has_syllable(syllable[:-1]):
                kept.append((character, syllable))
            else:
                unread[character] = None
        token.text = text = "".join(character for character, _ in kept)
        token.syllables = [syllable for _, syllable in kept]
        end = 0
        for part in [text] if len(text) <= 2 or text in self._neutral else parts(text):
            end += len(part)
            if part in self._neutral:
                token.syllables[end - 1] = token.syllables[end - 1][:-1] + "5"
        if len(text) > 1 and text[-1] == "子" and self._full_zi.isdisjoint((text, text[-2:])):
            token.syllables[-1] = "zi5"
        if text.endswith("儿") and len(text) > 1 and text not in self._not_erhua:
            _merge_er(token.syllables)


def _phrase_readings(text: str) -> list[str]:
    """A reading per character where a phrase gives one, else ""; the longest phrase first."""
    result = [""] * len(text)
    start = 0
    while start < len(text):
        longest = min(len(text) - start, _LONGEST_PHRASE)
        length = next((n for n in range(longest, 1, -1) if _is_phrase(text[start:][:n])), 1)
        if length > 1:
            result[start : start + length] = _phrase(text[start : start + length])
        start += length
    return result


def _is_phrase(text: str) -> bool:
    own = _OWN.get(text)
    if own is not None:
        return bool(own)
    return text in phrases() and not is_number(text)


@cache
def _phrase(phrase: str) -> list[str]:
    """Readings of a phrase; those of pypinyin with 一 and 不 in citation tone unless neutral."""
    if phrase in _OWN:
        return _OWN[phrase]
    result = []
    for character, syllable in zip(phrase, phrases().read(phrase), strict=True):
        if character in "一不" and syllable[-1] != "5":
            syllable = _USUAL[character]
        result.append(_USUAL["嗯"] if character == "嗯" else syllable)
    return result


@cache
def _default(character: str) -> str:
    """The first reading pypinyin has, or "" for a character it does not know."""
    if character in _USUAL:
        return _USUAL[character]
    return first_reading(character) if HAN.match(character) else ""


def _surname(token: Token) -> None:
    """A Chinese name of two or three characters begins with its surname."""
    own = len(token.text) in (2, 3) and not _is_phrase(token.text)
    if own and token.text[-1] != "儿" and not token.text.startswith(_FOREIGN):
        token.syllables[0] = _SURNAMES[token.text[0]]


def _particles(tokens: list[Token]) -> None:
    """得 地 过, by what stands beside them."""
    nothing = Token("", "", 0)
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else nothing
        after = tokens[index + 1] if index + 1 < len(tokens) else nothing
        if token.text == "得":
            rest = "".join(following.text for following in tokens[index + 1 : index + 4])
            noun = before.tag.startswith("n") and _HOW_ALONE.fullmatch(rest)
            how = noun or rest.startswith(_EXTREME)
            token.syllables = ["de5" if how else _get(before, after)]
        elif token.text == "地" and token.tag.startswith("u"):
            token.syllables = ["de5" if _is_adverb(before, after) else "di4"]
        elif token.text[-1:] == "地" and len(token.text) in (3, 5) and _is_doubled(token.text[:-1]):
            token.syllables[-1] = "de5"
        elif token.text == "过" and token.tag == "ug" and before.tag.startswith("v"):
            token.syllables = ["guo5"]
        elif token.text in _OWN:
            continue
        elif len(token.text) == 3 and token.text[1] == "得" and token.tag[0] in "vil":
            token.syllables[1] = "de5"
        elif token.text.endswith("得") and len(token.text) == 2:
            how = after.text == "很" and index + 2 == len(tokens)
            if how or not _is_phrase(token.text):
                token.syllables[1] = "de5"


def _get(before: Token, after: Token) -> str:
    """得: de5 says how, de2 is to get, dei3 is must."""
    if not after.text:
        return "de2"
    how = before.tag[:1] in ("v", "a", "i", "l", "b", "z") or _is_doubled(before.text)
    if how or (after.text.startswith(_HOW) and before.text and before.tag[:1] not in ("r", "n")):
        return "de5"
    return "de2" if after.text.startswith(_GOT) else "dei3"


def _is_adverb(before: Token, after: Token) -> bool:
    """Whether 地 between the two makes an adverb of the first."""
    if _is_doubled(before.text) or (before.tag[:1] in ("a", "z") and len(before.text) > 1):
        return True
    return bool(before.text) and after.tag[:1] in ("v", "a", "d", "p")


def _is_doubled(text: str) -> bool:
    """高高兴兴, 慢慢."""
    return len(text) in (2, 4) and text[0] == text[1] and text[-1] == text[-2]


def _merge_er(syllables: list[str]) -> None:
    """花 儿 -> huar1, if the language has that rhotic final."""
    base = syllables[-2]
    if base[-2] != "r" and has_syllable(base[:-1] + "r"):
        syllables[-2:] = [f"{base[:-1]}r{base[-1]}"]


def _join_erhua(tokens: list[Token]) -> None:
    """A 儿 cut off as a word of its own goes back to the noun before it."""
    for index in range(len(tokens) - 1, 0, -1):
        token, before = tokens[index], tokens[index - 1]
        if token.text == "儿" and not before.latin and before.text[-1] in _ERHUA_BASES:
            before.syllables.append("er2")
            _merge_er(before.syllables)
            before.text += token.text
            del tokens[index]
