"""English words as KAN-TTS syllables: own words, CMUdict, compounds of both, letters."""

from __future__ import annotations

import mmap
import re
from itertools import pairwise
from pathlib import Path
from typing import Final

from engines.text.sentence import Syllable
from engines.text.symbols import has_syllable

DATA: Final = Path(__file__).parent / "data" / "english"

# Consonant clusters an English syllable can begin with (for the maximal onset).
_CLUSTERS: Final = """
P R,P L,P Y,B R,B L,B Y,T R,T W,D R,D W,K R,K L,K W,K Y,G R,G L,G W,F R,F L,F Y,V Y,V L,TH R,TH W,
S P,S T,S K,S M,S N,S L,S W,S F,SH R,SH W,SH Y,HH Y,HH W,M Y,N Y,
S P R,S P L,S P Y,S T R,S K R,S K W,S K Y
"""
_ONSETS: Final = frozenset(cluster.strip() for cluster in _CLUSTERS.split(","))
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+(?:'[a-z]+)*")
_SPELLED = "*"
_SHORTEST_PINYIN, _LONGEST_PINYIN = 4, 24  # letters
_PLAINLY_PINYIN: Final = re.compile("zh|x|q")  # hardly in English where these can stand
_BARE: Final = frozenset(("a", "ai", "an", "ang", "ao", "e", "ei", "en", "er", "ou"))


class English:
    """Readings of English words. CMUdict stays on disk (mapped), so it costs next to no memory."""

    def __init__(self) -> None:
        self._own = dict(_rows("words.txt"))
        self._letters = dict(_rows("letters.txt"))
        with (DATA / "cmudict.txt").open("rb") as file:
            self._cmudict = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def read(self, word: str) -> tuple[Syllable, ...]:
        """Syllables of one word of ASCII letters (with ' inside): "iPhone" -> AY1, F OW2 N.

        A word that is in no list and is made of pinyin is said in Mandarin, in the first tone.
        """
        return tuple(
            Syllable(syllable)
            for part in self._phones(word)
            for syllable in ([part] if part[0].islower() else syllabify(part.split()))
        )

    def _phones(self, word: str) -> list[str]:
        """Phone strings; what is spelled gives one per letter, what is pinyin one per syllable."""
        lower = word.lower()
        own = self._own.get(lower)
        if len(lower) == 1:
            return self._spell(lower)
        if own is not None:
            return self._spell(lower) if own == _SPELLED else own.split(" . ")
        if word.isupper() and len(word) <= 3:
            return self._spell(lower)
        found = self._look_up(lower)
        if found:
            return [found]
        if lower.endswith("'s") and len(lower) > 2:
            return self._possessive(word[:-2])
        parts = _CAMEL.findall(word)
        if len(parts) > 1:
            return [phones for part in parts for phones in self._phones(part)]
        if not parts:
            return []
        pinyin = _as_pinyin(word)
        if pinyin and _PLAINLY_PINYIN.search(lower):
            return pinyin
        return self._compound(lower) or pinyin or self._spell(lower)

    def _possessive(self, word: str) -> list[str]:
        phones = self._phones(word)
        last = phones[-1].split()[-1] if phones else ""
        ending = "S" if last in ("P", "T", "K", "F", "TH") else "Z"
        if last in ("S", "Z", "SH", "ZH", "CH", "JH"):
            ending = "AH0 Z"
        return [*phones[:-1], f"{phones[-1]} {ending}"] if phones else []

    def _compound(self, word: str) -> list[str]:
        """Two known words written as one, the longer first part preferred."""
        for cut in range(len(word) - 3, 2, -1):
            pair = [self._known(word[:cut]), self._known(word[cut:])]
            if all(pair):
                return [phones for phones in pair if phones]
        return []

    def _known(self, word: str) -> str | None:
        own = self._own.get(word)
        if own is None or own == _SPELLED:
            return self._look_up(word)
        return own.replace(" . ", " ")

    def _spell(self, word: str) -> list[str]:
        return [self._letters[letter] for letter in word if letter in self._letters]

    def _look_up(self, word: str) -> str | None:
        """Phones of a word in CMUdict, by bisection over the mapped lines."""
        key = word.encode() + b" "
        text = self._cmudict
        low, high = 0, len(text)
        while low < high:
            middle = (low + high) // 2
            start = text.rfind(b"\n", 0, middle) + 1
            end = text.find(b"\n", middle)
            line = text[start:end]
            if line.startswith(key):
                return line[len(key) :].decode()
            if line.split(b" ", 1)[0] < key[:-1]:
                low = end + 1
            else:
                high = start
        return None


def _as_pinyin(word: str) -> list[str]:
    """Meituan -> mei1, tuan1; the fewest syllables win. [] for what is not pinyin, or too short."""
    lower = word.lower()
    if len(word) < _SHORTEST_PINYIN or len(word) > _LONGEST_PINYIN or word.isupper():
        return []
    ways: list[list[str] | None] = [[]]
    for end in range(1, len(lower) + 1):
        options = [
            [*way, f"{lower[start:end]}1"]
            for start in range(max(0, end - 6), end)
            if (way := ways[start]) is not None and _is_pinyin(lower[start:end])
        ]
        ways.append(min(options, key=len) if options else None)
    return ways[-1] or []


def _is_pinyin(syllable: str) -> bool:
    """Whether it is a common syllable: an initial and a final, or one that stands for itself."""
    return syllable in _BARE or (syllable[0] not in "aeiouv'" and _is_plain(syllable))


def _is_plain(syllable: str) -> bool:
    return len(syllable) > 1 and not syllable.endswith("r") and has_syllable(syllable)


def _rows(name: str) -> list[tuple[str, str]]:
    lines = (DATA / name).read_text(encoding="ascii").splitlines()
    return [(word, phones) for word, _, phones in (line.partition(" ") for line in lines)]


def syllabify(phones: list[str]) -> list[str]:
    """ARPAbet phones to syllables by maximal onset: T EH1 S L AH0 -> "T EH1", "S L AH0"."""
    vowels = [index for index, phone in enumerate(phones) if phone[-1].isdigit()]
    starts = [0]
    for vowel, following in pairwise(vowels):
        cluster = phones[vowel + 1 : following]
        onset = max(n for n in range(len(cluster) + 1) if _is_onset(cluster[len(cluster) - n :]))
        starts.append(following - onset)
    bounds = [*starts, len(phones)]
    return [" ".join(phones[a:b]) for a, b in pairwise(bounds) if a < b]


def _is_onset(cluster: list[str]) -> bool:
    if len(cluster) <= 1:
        return cluster != ["NG"]
    return " ".join(cluster) in _ONSETS
