"""Numbers, dates, times, money and measures read out by WeText's Mandarin grammars.

The compiled grammars come with the package wetext (Apache-2.0); they are opened with kaldifst
directly, because `import wetext` would also load English, Japanese and inverse grammars.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import kaldifst

from engines.text.rewrite import digits

# The verbalizer wants the fields of a token in this order, whatever order they were written in.
_ORDERS: Final = {
    "date": ("year", "month", "day"),
    "fraction": ("denominator", "numerator"),
    "measure": ("denominator", "numerator", "value"),
    "money": ("value", "currency"),
    "time": ("noon", "hour", "minute", "second"),
}
_FIELD: Final = r'(\w+): ("(?:[^"\\]|\\.)*")'
_TOKEN: Final = re.compile(rf"(\w+) \{{ ((?:{_FIELD} ?)+)\}}")
_FIELDS: Final = re.compile(_FIELD)
# Numbers with the characters on either side that their reading may depend on; a grammar takes time
# for every character it is given.
_NEAR: Final = re.compile(r"(?:[A-Za-z]+|[^A-Za-z\d]){0,4}(?:\d(?:[A-Za-z]+|[^A-Za-z\d]){0,6})+")
_REMEMBERED: Final = 2048  # numbers; a robot says the same ones again
_LONGEST = 96  # characters a grammar is given at once: its cost grows faster than the text


class NumberGrammar:
    """Tagger and verbalizer of WeText's Mandarin text normalisation."""

    def __init__(self) -> None:
        spec = find_spec("wetext")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("no package wetext; pip install wetext", name="wetext")
        folder = Path(spec.submodule_search_locations[0]) / "fsts" / "zh" / "tn"
        self._tagger = kaldifst.TextNormalizer(str(folder / "tagger.fst"))
        self._read_number = lru_cache(_REMEMBERED)(self._number)
        self._verbalizer = kaldifst.TextNormalizer(str(folder / "verbalizer.fst"))

    def read(self, text: str) -> str:
        """The text with its numbers as words; digits the grammar leaves are said one by one."""
        if not re.search(r"\d", text):
            return text
        return "".join(self._read_clause(clause) for clause in _clauses(text))

    def _read_clause(self, clause: str) -> str:
        read, end = "", 0
        for match in _NEAR.finditer(clause):
            read += clause[end : match.start()] + self._read_number(match[0])
            end = match.end()
        return read + clause[end:]

    def _number(self, text: str) -> str:
        """A number and what stands close to it."""
        core = text.strip()
        start = text.index(core)
        tokens = _TOKEN.sub(_reordered, self._tagger(core).strip())
        spoken = self._verbalizer(tokens).strip() if tokens else ""
        return digits(text[:start] + (spoken or core) + text[start + len(core) :])


def _reordered(match: re.Match[str]) -> str:
    fields = dict(_FIELDS.findall(match[2]))
    if fields.get("preserve_order") == '"true"' or match[1] not in _ORDERS:
        return match[0]
    first = [key for key in _ORDERS[match[1]] if key in fields]
    keys = first + [key for key in fields if key not in first]
    return f"{match[1]} {{ {' '.join(f'{key}: {fields[key]}' for key in keys)} }}"


def _clauses(text: str) -> list[str]:
    """The text in pieces no number runs across."""
    pieces = re.split(r"(?<=[，。！？；、…“”（）()【】《》\"\n])|(?<=,)(?!\d)|(?<=[!?;])", text)
    result: list[str] = []
    for piece in pieces:
        while len(piece) > _LONGEST:
            cut = _safe_cut(piece)
            result.append(piece[:cut])
            piece = piece[cut:]
        result.append(piece)
    return result


def _safe_cut(piece: str) -> int:
    """The last place below the limit with no digit or sign of a number on either side."""
    for cut in range(_LONGEST, _LONGEST // 2, -1):
        if not re.search(r"[\d\W]", piece[cut - 4 : cut + 4]):
            return cut
    return _LONGEST
