"""Lexicons in files: CSV (word, pinyin, part of speech) or TOML, read again when they change."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from engines.errors import LexiconError
from engines.text.lexicon import Entry, Lexicon

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LARGEST_FILE: Final = 8 << 20  # bytes
NAMES: Final = ("lexicon.toml", "lexicon.csv")  # beside a voice's voice.toml
_HEADER: Final = ("word", "pinyin", "pos")

Row = tuple[int, str, str, str]  # line, word, pinyin, part of speech


def read_lexicon(path: Path) -> Lexicon:
    """The lexicon in a file, whose name ends in .csv or .toml.

    Raises LexiconError: lexicon_not_found, bad_lexicon; the message begins with file and line.
    """
    entries: dict[str, Entry] = {}
    first: dict[str, int] = {}
    for line, word, pinyin, pos in _rows(path):
        try:
            entry = Entry.of(word, pinyin, pos)
        except LexiconError as error:
            raise _bad(path, line, str(error)) from error
        if entry.word in entries:
            before = first[entry.word]
            raise _bad(path, line, f"{entry.word} stands in line {before} already; keep one")
        entries[entry.word] = entry
        first[entry.word] = line
    return Lexicon(entries)


class LexiconFile:
    """A lexicon that follows its file, which may be changed, be wrong, go and come.

    lexicon: what was read last. error: what is wrong with the file as it is now; the lexicon is
    then the one from before. Both are replaced as a whole, so any thread may take them at any time.
    """

    def __init__(self, *paths: Path, needed: bool = True) -> None:
        """The one of these files that is there. needed: whether there must be one."""
        self.lexicon = Lexicon()
        self.error: LexiconError | None = None
        self._paths, self._needed = paths, needed
        self._stamps: list[tuple[int, ...]] | None = None
        self.look()

    @classmethod
    def of_folder(cls, folder: Path) -> LexiconFile:
        """The lexicon in a folder, by the names of NAMES; without words where there is none."""
        return cls(*(folder / name for name in NAMES), needed=False)

    @property
    def path(self) -> Path:
        """The file that is there, else where it should be."""
        return next((path for path in self._paths if path.is_file()), self._paths[0])

    @property
    def problem(self) -> str:
        """What is wrong, for people, with file and line; "" where nothing is."""
        return "" if self.error is None else str(self.error)

    def look(self) -> bool:
        """Read the file again if it has changed; whether it had."""
        stamps = [_stamp(path) for path in self._paths]
        if stamps == self._stamps:
            return False
        self._stamps = stamps
        try:
            self.lexicon, self.error = self._read(), None
        except LexiconError as error:
            self.error = error
        return True

    def _read(self) -> Lexicon:
        there = [path for path in self._paths if path.is_file()]
        if len(there) > 1:
            both = " and ".join(path.name for path in there)
            raise LexiconError(
                "bad_lexicon", f"{there[0].parent} has {both}; put all words into one of them"
            )
        if not there and not self._needed:
            return Lexicon()
        return read_lexicon(there[0] if there else self._paths[0])


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when the file does."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _rows(path: Path) -> Iterator[Row]:
    if path.suffix.lower() == ".csv":
        return _csv_rows(path, _text(path))
    if path.suffix.lower() == ".toml":
        return _toml_rows(path, _text(path))
    raise LexiconError("bad_lexicon", f"{path}: a lexicon is a .csv or a .toml file; rename it")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise LexiconError(
            "lexicon_not_found", f"cannot read the lexicon {path}: {error.strerror}"
        ) from error
    if len(data) > LARGEST_FILE:
        raise LexiconError(
            "bad_lexicon", f"{path} is larger than {LARGEST_FILE >> 20} MiB; use a shorter lexicon"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _bad(path, line, "this is not UTF-8; save the file in that encoding") from error


def _csv_rows(path: Path, text: str) -> Iterator[Row]:
    """Rows of a CSV file; a header, blank lines and lines that begin with # are passed by."""
    lines = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    line = 1
    try:
        for row in lines:
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                line = lines.line_num + 1
                continue
            if tuple(cell.lower() for cell in cells) not in (_HEADER, _HEADER[:2]):
                if not 2 <= len(cells) <= 3:
                    raise _bad(
                        path, line, f"{len(cells)} columns; write word, pinyin, part of speech"
                    )
                yield line, cells[0], cells[1], cells[2] if len(cells) > 2 else ""
            line = lines.line_num + 1
    except csv.Error as error:
        raise _bad(path, lines.line_num, f"this is not CSV: {error}") from error


def _toml_rows(path: Path, text: str) -> Iterator[Row]:
    """Entries of the table [words]: word = "pinyin", or word = {pinyin = "...", pos = "..."}."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+)", str(error))
        line = int(place[1]) if place else text.count("\n") + 1
        raise _bad(path, line, f"this is not TOML: {error}") from error
    except RecursionError as error:
        raise _bad(path, 1, "tables are nested too deep; a lexicon has one, [words]") from error
    words = content.pop("words", None)
    if content or not isinstance(words, dict):
        stray = next(iter(content), "")
        reason = f"{stray!r} is not understood" if stray else "there is no table [words]"
        raise _bad(path, _line_of(text, stray), f"{reason}; put all words under [words]")
    lines = _lines(text)
    for word, value in words.items():
        line = lines.get(word, 1)
        settled = {"pinyin": value} if isinstance(value, str) else value
        if not isinstance(settled, dict) or not set(settled) <= {"pinyin", "pos"}:
            raise _bad(path, line, f'{word}: write "pinyin", or {{pinyin = "...", pos = "..."}}')
        pinyin, pos = settled.get("pinyin"), settled.get("pos", "")
        if not isinstance(pinyin, str) or not isinstance(pos, str):
            raise _bad(path, line, f"{word}: pinyin and pos are texts; put them into quotes")
        yield line, word, pinyin, pos


def _lines(text: str) -> dict[str, int]:
    """The line of each key, as far as keys are written on lines of their own."""
    result: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        key = re.match(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s=#\[]+?))\s*=""", line)
        header = re.match(r"""\s*\[\s*words\s*\.\s*["']?([^"'\]]*?)["']?\s*\]""", line)
        if key:
            result.setdefault(next(filter(None, key.groups()), ""), number)
        elif header:
            result.setdefault(header[1], number)
    return result


def _line_of(text: str, key: str) -> int:
    pattern = re.compile(rf"""^\s*\[*\s*["']?{re.escape(key)}""")
    return next((n for n, line in enumerate(text.split("\n"), 1) if pattern.match(line)), 1)


def _bad(path: Path, line: int, message: str) -> LexiconError:
    return LexiconError("bad_lexicon", f"{path}:{line}: {message}")
