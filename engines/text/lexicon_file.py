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
    """A lexicon that follows its file.

    lexicon: what was read last; replaced as a whole, so any thread may take it at any time.
    """

    def __init__(self, path: Path) -> None:
        """Raises LexiconError, as `read_lexicon` does."""
        self.path = path
        self._stamp = _stamp(path)
        self.lexicon = read_lexicon(path)

    def reload(self) -> bool:
        """Read the file again if it has changed; whether it was.

        Raises LexiconError, as `read_lexicon` does; the lexicon is then the one from before, and
        the file is not read again until it changes.
        """
        stamp = _stamp(self.path)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        self.lexicon = read_lexicon(self.path)
        return True


def lexicon_of(folder: Path) -> LexiconFile | None:
    """The lexicon in a folder, by the names of NAMES, if it has one.

    Raises LexiconError, as `read_lexicon` does, and where there are both.
    """
    found = [folder / name for name in NAMES if (folder / name).is_file()]
    if len(found) > 1:
        raise LexiconError(
            "bad_lexicon", f"{folder} has {' and '.join(NAMES)}; put all words into one of them"
        )
    return LexiconFile(found[0]) if found else None


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
