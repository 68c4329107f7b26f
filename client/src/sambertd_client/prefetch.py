"""`sambertctl prefetch`: texts of a file, a line each, made ready to be said at once."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from . import protocol as wire
from .exits import CUT_SHORT, NOT_UTF8, REFUSED, WrongError
from .launch import connect
from .speak import STYLE
from .terminal import Progress, fail

BAR = 24  # characters


def prefetch(options: argparse.Namespace) -> int:
    """Exit code 1 where a text cannot be said, 5 if it was cancelled.

    Raises SambertdError, OSError.
    """
    name = "standard input" if options.file == "-" else options.file
    lines: list[int] = []
    texts: list[str] = []
    for number, line in enumerate(_read(options.file).splitlines(), 1):
        try:
            text = line.decode().strip("\ufeff \t\r")
        except UnicodeDecodeError as error:
            raise WrongError(
                f"{name}, line {number}: this is not UTF-8; convert it, for example with "
                "`iconv -f GB18030 -t UTF-8`",
                NOT_UTF8,
            ) from error
        if text:
            lines.append(number)
            texts.append(text)
    return _fetch(options, name, lines, texts)


def _read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    with open(path, "rb") as file:
        return file.read()


def _fetch(options: argparse.Namespace, name: str, lines: list[int], texts: list[str]) -> int:
    manner: Any = {key: getattr(options, key) for key in STYLE if getattr(options, key) is not None}
    progress = Progress(quiet=options.json)
    with connect(options.endpoint, progress) as client:
        meter = Meter(progress)
        done = client.prefetch(texts, meter.tell, **manner)
    progress.clear()
    failures = [(lines[one.index], texts[one.index], one) for one in done.failures]
    if options.json:
        facts = {
            "texts": len(texts),
            "made": done.made,
            "known": done.known,
            "why": done.why,
            "failures": [
                {"line": line, "said": said, "code": one.code, "text": one.text}
                for line, said, one in failures
            ],
        }
        print(json.dumps(facts, ensure_ascii=False))
    else:
        for line, _, one in failures:
            fail(f"{name}, line {line}: {one.text} ({one.code})")
        print(_summary(len(texts), done))
    if done.why == "cancelled":
        return CUT_SHORT
    return REFUSED if failures else 0


def _summary(count: int, done: wire.Prefetched) -> str:
    words = f"{count} texts: {done.made} made, {done.known} there already"
    if done.failures:
        words += f", {len(done.failures)} failed"
    left = count - done.made - done.known - len(done.failures)
    return words + (f", {left} cancelled" if left else "")


class Meter:
    """A bar that grows; where there is no terminal, a line for each tenth."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._live = sys.stderr.isatty()
        self._tenth = -1

    def tell(self, told: wire.Prefetching) -> None:
        """How far it is."""
        tenth = 10 * told.done // told.texts
        if not self._live and tenth == self._tenth:
            return
        self._tenth = tenth
        full = BAR * told.done // told.texts
        bar = f"[{'#' * full}{'.' * (BAR - full)}] " if self._live else ""
        self._progress.tell(f"{bar}{told.done} of {told.texts} texts, {told.made} made")
