"""Text as written to sentences as said: every number, sign and link in characters or letters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import opencc

from engines.text.characters import HAN, plain, table
from engines.text.emoji import name_emoji
from engines.text.endings import CLOSERS, is_stop
from engines.text.grammar import NumberGrammar
from engines.text.pieces import pieces
from engines.text.rewrite import rewrite
from engines.text.settings import TextSettings

_END: Final = re.compile(
    rf"(?:[。！？!?…]*[。！？!?]|\.(?=\s|$))[。！？!?…]*[{CLOSERS}]*(?:[^\S\n]*\n\s*)?|\n\s*"
)
_SPOKEN_SIGNS: Final = table(
    "+加 =等于 ×乘 ÷除以 ±正负 ≈约等于 ≠不等于 ≥大于等于 ≤小于等于 >大于 <小于"
)
_NAMED_SIGNS: Final = table(
    "%百分号 ‰千分号 &和 @艾特 °度 ℃摄氏度 ℉华氏度 $美元 ¥元 €欧元 £英镑 √根号 ∞无穷大"
    " ∛三次根号 ∠角 ⊥垂直于 ∥平行于 ≌全等于 ∽相似于 ∈属于 ∉不属于 ∪并 ∩交 ⊂包含于 ⊆包含于 ∅空集"
    " ∵因为 ∴所以 ∑求和 ∏连乘 ∫积分 ∝正比于 ≡恒等于"
)
_BETWEEN: Final = re.compile(
    r"(?<![^\s（(，。；：、！？])([<≤≥])(?=[零一二两三四五六七八九十百])"
    r"|(?<=[\w)）])\s*([+=×÷±≈≠≥≤><])\s*(?=[\w(（])|(?<![\w-])([+±])(?=[零一二三四五六七八九])"
)
# t2s leaves 著 where it stands for 着; after a title it is "written by", 《吶喊》魯迅著.
_ASPECT: Final = re.compile(
    r"(》\W?\w{1,6}著(?!\w))|"
    r"(?<![显名原专论编译合所土卓昭遗新旧本拙撰主巨大])著(?![名作者述称书有录文于])"
)
_ASPECT_INSIDE: Final = re.compile(rf"{_ASPECT.pattern}(?=\w)")
# Signs that are seen and not heard: quotes, brackets, hyphens, underscores, Markdown.
SILENT: Final = frozenset("“”‘’'\"「」『』《》〈〉[]{}【】_*|\\^-·~` ")
_DEFAULTS: Final = TextSettings()
PAUSES: Final = frozenset("，、；：。！？,;:.!?…—（）()/\n")


@dataclass(frozen=True, slots=True)
class NormalSentence:
    """One sentence as said, and the characters that had to be left out of it.

    newline: whether its line ends with it.
    """

    text: str
    dropped: tuple[str, ...]
    newline: bool


class Normalizer:
    """NFKC, traditional to simplified, own rules, sentences, number grammars: in this order."""

    def __init__(self) -> None:
        self._simplified = opencc.OpenCC("t2s")
        self._grammar = NumberGrammar()

    def sentences(self, text: str, settings: TextSettings = _DEFAULTS) -> Iterator[NormalSentence]:
        """The sentences of a text, empty ones left out unless something was dropped in them.

        A text of any length: a piece of it is read when its first sentence is asked for.
        """
        for piece in pieces(text):
            written = name_emoji(piece) if settings.emoji == "name" else piece
            plainly = self._simplify(plain(written))
            for sentence in _split(rewrite(plainly, settings.links)):
                spoken = _say_signs(self._grammar.read(_tidy(sentence)))
                kept, dropped = _readable(spoken)
                if kept or dropped:
                    yield NormalSentence(kept, dropped, "\n" in sentence)

    def _simplify(self, text: str) -> str:
        simplified = self._simplified.convert(text)
        aspect = _ASPECT_INSIDE if simplified == text else _ASPECT
        return aspect.sub(lambda match: match[1] or "着", simplified)


def _split(text: str) -> list[str]:
    result, start = [], 0
    for match in _END.finditer(text):
        if match[0][0] == "." and not is_stop(text, match.start()):
            continue
        result.append(text[start : match.end()])
        start = match.end()
    return [*result, text[start:]]


def _tidy(sentence: str) -> str:
    """Blanks: one between Latin words, none beside punctuation, a pause between Chinese phrases."""
    text = re.sub(r"\s+", " ", sentence).strip().lstrip("，、；：,;: ")
    text = re.sub(r"(?<=[，。！？；：、…—]) | (?=[，。！？；：、…—])", "", text)
    if re.search(r"[㐀-鿿]{2} [㐀-鿿]{2}", text):
        text = re.sub(r"(?<=[㐀-鿿]) (?=[㐀-鿿])", "，", text)
    return re.sub(r"(?<=[㐀-鿿]) (?=[㐀-鿿])", "", text)


def _say_signs(text: str) -> str:
    text = _BETWEEN.sub(lambda match: _SPOKEN_SIGNS[match[1] or match[2] or match[3]], text)
    return "".join(_NAMED_SIGNS.get(character, character) for character in text)


def _readable(text: str) -> tuple[str, tuple[str, ...]]:
    kept: list[str] = []
    dropped: dict[str, None] = {}
    for character in text:
        letter = character.isascii() and character.isalpha()
        if letter or HAN.match(character) or character in PAUSES or character in SILENT:
            kept.append(character)
        else:
            dropped[character] = None
    return "".join(kept).strip(), tuple(dropped)
