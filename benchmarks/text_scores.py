"""How the text front end fares on a set of cases: one function a set, each gives a Score."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from typing import Final

import kaldifst

from engines.text.frontend import FrontEnd
from engines.text.normalize import Normalizer
from engines.text.readings import Readings
from engines.text.segment import clauses
from engines.text.sentence import Sentence, Syllable, Word
from engines.text.symbols import spell, symbols

# Files of WeTextProcessing whose cases are about reading numbers, and not about its filters.
WETEXT_FILES: Final = (
    *("cardinal", "date", "fraction", "math", "measure", "money", "normalizer", "number"),
    *("sport", "time"),
)
# Cases of two options of WeTextProcessing that drop words. We say every word, so the filters of the
# package wetext are laid over what we say.
WETEXT_DROPS: Final = frozenset(
    ("呃这个呃啊我不知道", "这儿有只鸟儿", "这事儿好办", "我儿子喜欢这地儿")
)
_MARK = "▁"


@dataclass(frozen=True, slots=True)
class Miss:
    """A case that was not read as it should be."""

    case: str
    expected: str
    said: str


@dataclass(frozen=True, slots=True)
class Score:
    """Cases, or syllables, read right of all in a set."""

    name: str
    right: int
    total: int
    misses: tuple[Miss, ...] = ()

    @property
    def percent(self) -> float:
        """100 for all right, or for none at all."""
        return 100 * self.right / self.total if self.total else 100.0


def rows(path: Path) -> list[list[str]]:
    """The lines of a table, comments (#) left out, cut at tabs."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def heard(text: str) -> str:
    """What of a normalised text is heard: no punctuation, no blanks."""
    return re.sub(r"[\W_]", "", text)


def said(normalizer: Normalizer, text: str) -> str:
    """A text as the normaliser says it, without punctuation."""
    return heard("".join(sentence.text for sentence in normalizer.sentences(text)))


def wetext(normalizer: Normalizer, folder: Path) -> Score:
    """WeTextProcessing's own cases."""
    found = []
    for name in WETEXT_FILES:
        for line in (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines():
            written, arrow, expected = line.partition(" => ")
            if arrow:
                spoken = said(normalizer, written)
                if written in WETEXT_DROPS:
                    spoken = heard(dropping(spoken))
                found.append(Miss(written, heard(expected), spoken))
    return _exact("WeTextProcessing", found)


def dropping(text: str) -> str:
    """The text without interjections and 儿, by the filters of the package wetext."""
    spec = find_spec("wetext")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("no package wetext; pip install wetext", name="wetext")
    folder = Path(spec.submodule_search_locations[0]) / "fsts"
    for name in ("remove_interjections", "zh/tn/tagger", "zh/tn/verbalizer_remove_erhua"):
        text = kaldifst.TextNormalizer(str(folder / f"{name}.fst"))(text).strip()
    return text


def roles(normalizer: Normalizer, path: Path) -> list[Score]:
    """Own cases, a score for each role; lines of role, text as written, text as said."""
    by_role: dict[str, list[tuple[str, str]]] = {}
    for role, written, spoken in rows(path):
        by_role.setdefault(role, []).append((written, spoken))
    return [_normalised(role, normalizer, pairs) for role, pairs in by_role.items()]


def _normalised(name: str, normalizer: Normalizer, pairs: Iterable[tuple[str, str]]) -> Score:
    all_pairs = [(written, heard(spoken)) for written, spoken in pairs]
    found = [(written, spoken, said(normalizer, written)) for written, spoken in all_pairs]
    misses = tuple(Miss(*row) for row in found if row[1] != row[2])
    return Score(name, len(found) - len(misses), len(found), misses)


def natural(front_end: FrontEnd, path: Path) -> Score:
    """Syllables as spoken; a sentence with more or fewer of them than its pinyin is lost whole."""
    right, total, misses = 0, 0, []
    for text, pinyin in rows(path):
        expected, spoken = pinyin.split(), syllables(front_end.read(text))
        agree = sum(a == b for a, b in zip(expected, spoken, strict=False))
        right += agree if len(expected) == len(spoken) else 0
        total += len(expected)
        if expected != spoken:
            misses.append(_difference(text, expected, spoken))
    return Score("natural text", right, total, tuple(misses))


def _difference(text: str, expected: list[str], spoken: list[str]) -> Miss:
    pairs = [(a, b) for a, b in zip_longest(expected, spoken, fillvalue="-") if a != b]
    return Miss(text, " ".join(a for a, _ in pairs), " ".join(b for _, b in pairs))


def syllables(sentences: Iterable[Sentence]) -> list[str]:
    """Syllables as spoken, the phones of an English one joined by _."""
    return [
        syllable.pinyin.replace(" ", "_")
        for sentence in sentences
        for word in sentence.words
        for syllable in word.syllables
    ]


def cpp(readings: Readings, folder: Path) -> Score:
    """The Chinese Polyphones with Pinyin set (g2pM): one marked character a sentence."""
    sentences = (folder / "dev.sent").read_text(encoding="utf-8").splitlines()
    labels = (folder / "dev.lb").read_text(encoding="utf-8").split()
    misses = []
    for marked, label in zip(sentences, labels, strict=True):
        text, place = marked.replace(_MARK, ""), marked.index(_MARK)
        reading = citation(readings, text, place)
        if spell(reading[:-1]) + reading[-1:] != spell(label[:-1]) + label[-1:]:
            misses.append(Miss(marked, label, reading))
    return Score("CPP development set", len(labels) - len(misses), len(labels), tuple(misses))


def citation(readings: Readings, text: str, place: int) -> str:
    """The reading of one character before sandhi, "" where it has no syllable of its own."""
    parsed = clauses(text)
    spans = [(t, t.start, len(t.text)) for clause in parsed for t in clause.tokens]
    readings.read(text, parsed)
    for token, start, length in spans:
        if start <= place < start + length and place - start < len(token.syllables):
            return token.syllables[place - start]
    return ""


def ttsfrd(front_end: FrontEnd, folder: Path) -> Score:
    """The lines of Alibaba's ttsfrd found in public: symbols of one, words and breaks of both."""
    found = []
    for text, expected in rows(folder / "ttsfrd_symbols.tsv"):
        spoken = " ".join(s for sentence in front_end.read(text) for s in symbols(sentence))
        found.append(Miss(text, expected, spoken))
    for text, expected in rows(folder / "ttsfrd_breaks.tsv"):
        words = [word for sentence in front_end.read(text) for word in sentence.words]
        found.append(Miss(text, expected, "".join(f"{w.text}#{w.break_after}" for w in words)))
    return _exact("ttsfrd lines", found)


def converter(folder: Path) -> Score:
    """Examples of KAN-TTS's converter: words with pinyin and breaks to symbols."""
    lines = (folder / "kan_prosody_examples.txt").read_text(encoding="utf-8").splitlines()
    texts = (folder / "kan_symbols_examples.txt").read_text(encoding="utf-8").splitlines()
    expected = dict(line.split("\t") for line in texts if line)
    found = []
    for line, pinyin in zip(lines[::2], lines[1::2], strict=True):
        name, text = line.split("\t")
        spoken = " ".join(symbols(list(_words(text, pinyin)), break_emotion="emotion_neutral"))
        found.append(Miss(text, expected[name], spoken))
    return _exact("KAN-TTS converter examples", found)


def _exact(name: str, found: list[Miss]) -> Score:
    misses = tuple(miss for miss in found if miss.expected != miss.said)
    return Score(name, len(found) - len(misses), len(found), misses)


def _words(line: str, pinyin: str) -> Iterator[Word]:
    """A KAN-TTS prosody line: text with #n, and pinyin with English between slashes."""
    units: list[list[str]] = []
    for chunk in filter(None, (part.strip() for part in pinyin.split("/"))):
        english = chunk[0].isupper()
        units += [chunk.split(" . ")] if english else [[unit] for unit in chunk.split()]
    line = re.sub(r"(?<=[A-Za-z])(?=[一-鿿])", "#1", line)
    for text, level in re.findall(r"([^#]+)(?:#(\d))?", line):
        count = 1 if text.isascii() else len(text) - (text.endswith("儿") and len(text) > 1)
        own = [Syllable(unit) for group in units[:count] for unit in group]
        del units[:count]
        yield Word(text, tuple(own), int(level or 4))
