"""A text that is written in symbols: what the front end makes of a text, sent in its place.

A line is a sentence. In it stand KAN-TTS symbols, as `sambertctl text --symbols` prints them, or
pinyin with tone digits, ARPAbet phones ("W AY1 . F AY0") and breaks "#1" to "#4", apart by blanks.
A break ends a word, #4 what is said in one breath; the last of a line is always #4.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final, NoReturn

from engines.errors import TextError
from engines.text.pronunciation import from_phones, syllables
from engines.text.sentence import Sentence, Syllable, Word
from engines.text.symbols import BREAKS, SYLLABLE_FLAGS, WORD_SEGMENTS

_TOKEN: Final = re.compile(r"\S+")
_ARPABET: Final = re.compile(r"[A-Z]{1,2}[0-2]?")
_CURE: Final = (
    "write {phone$tone$syllable flag} as `sambertctl text --symbols` prints it, pinyin like hao3, "
    "ARPAbet, or a break from #1 to #4"
)


def read_symbols(text: str) -> list[Sentence]:
    """The sentences in a text of symbols; spans are those of the symbols.

    Emotion and speaker of a symbol need not be given and are not taken over. #4 inside a line is
    followed by the silence of a comma, the end of a line by that of a full stop.

    Raises TextError: bad_symbols, which begins with line and column; text_empty, no symbols.
    """
    result, start = [], 0
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        words = _Line(line, number, start).words()
        if words:
            spoken = " ".join(word.text for word in words)
            result.append(Sentence(spoken, words))
        start += len(line)
    if not result:
        raise TextError("text_empty", f"there is nothing to say: no symbol in the text; {_CURE}")
    return result


class _Line:
    """Reads one line, symbol by symbol."""

    def __init__(self, line: str, number: int, start: int) -> None:
        self._line, self._number, self._start = line, number, start
        self._words: list[Word] = []
        self._syllables: list[Syllable] = []
        self._phones: list[tuple[str, str]] = []  # of a syllable that has begun: phone, tone
        self._letters: list[str] = []  # of an English one, in ARPAbet
        self._from = self._to = 0  # where that syllable stands in the line
        self._column = 0  # of the symbol at hand

    def words(self) -> tuple[Word, ...]:
        """Raises TextError(bad_symbols)."""
        for match in _TOKEN.finditer(self._line):
            self._column = match.start()
            self._take(match[0], match.start(), match.end())
        self._close()
        if self._syllables:
            self._word(4)
        if self._words:
            self._words[-1] = replace(self._words[-1], break_after=4, marks="。")
        return tuple(self._words)

    def _take(self, token: str, start: int, end: int) -> None:
        fields = token.removeprefix("{").removesuffix("}").split("$")
        if fields[0] in BREAKS:
            self._close()
            self._word(int(fields[0][1]))
        elif len(fields) > 1:
            self._symbol(token, fields, start, end)
        elif token == ".":
            self._close()
        elif _ARPABET.fullmatch(token):
            if self._phones:
                self._refuse("the syllable before it has no end (s_end)")
            self._begin(start, end, first=not self._letters)
            self._letters.append(token)
        else:
            self._close()
            self._begin(start, end, first=True)
            self._say(token)

    def _symbol(self, token: str, fields: list[str], start: int, end: int) -> None:
        if self._letters:
            self._close()
        known = len(fields) in range(3, 7) and fields[2] in SYLLABLE_FLAGS
        if not known or fields[2] == "s_none" or not {*fields[3:4]} <= {*WORD_SEGMENTS}:
            self._refuse(f"{_short(token)!r} is no symbol")
        phone, tone, flag = fields[:3]
        first = flag in ("s_begin", "s_both")
        if first == bool(self._phones):
            self._refuse(
                "the syllable before it has no end (s_end)"
                if first
                else f"{flag} stands where no syllable has begun (s_begin)"
            )
        self._begin(start, end, first=first)
        self._phones.append((phone, tone))
        if flag in ("s_end", "s_both"):
            phones, self._phones = self._phones, []
            try:
                spoken = from_phones(phones)
            except TextError as error:
                self._refuse(str(error))
            self._syllables.append(self._syllable(spoken))

    def _begin(self, start: int, end: int, *, first: bool) -> None:
        self._from, self._to = start if first else self._from, end

    def _close(self) -> None:
        """The end of an English syllable, if one has begun; none of another may have."""
        if self._phones:
            self._refuse("the syllable before it has no end (s_end)")
        if self._letters:
            letters, self._letters = self._letters, []
            self._say(" ".join(letters))

    def _say(self, written: str) -> None:
        """A syllable as people write it."""
        try:
            (spoken,) = syllables(written)
        except (TextError, ValueError) as error:
            shown = _short(written)
            text = f"{shown!r} is neither a symbol nor a syllable; {_CURE}"
            self._refuse(text, error)
        self._syllables.append(self._syllable(spoken))

    def _syllable(self, spoken: str) -> Syllable:
        return Syllable(spoken, (self._start + self._from, self._start + self._to))

    def _word(self, level: int) -> None:
        if not self._syllables:
            self._refuse(f"a break (#{level}) stands where no word is before it; leave it out")
        said, self._syllables = tuple(self._syllables), []
        text = " ".join(syllable.pinyin for syllable in said)
        self._words.append(Word(text, said, level, "，" if level == 4 else ""))

    def _refuse(self, text: str, cause: Exception | None = None) -> NoReturn:
        place = f"line {self._number}, column {self._column + 1}"
        raise TextError("bad_symbols", f"{place}: {text}") from cause


def _short(token: str) -> str:
    return token if len(token) <= 60 else token[:60] + "…"
