"""What the arguments of `sambertctl` may be: types for argparse, which tell why a word is refused.

Completion reads them too (completion/tree.py): a FileName completes file names, a Name asks the
daemon, a Word and a List know their words.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any


def utf8(value: str) -> str:
    """An argument as it was typed; Python marks bytes that are not UTF-8 as lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        text = "is not UTF-8; set the terminal to UTF-8, or convert the text with `iconv`"
        raise argparse.ArgumentTypeError(text) from None
    return value


def file_name(value: str) -> str:
    """The path of a file, in whatever bytes the file system has."""
    if not value:
        raise argparse.ArgumentTypeError("is empty; name a file, or leave the option out")
    return value


def pack_name(value: str) -> str:
    """The folder of a voice pack, by its name where the daemon knows that, or by its path."""
    return utf8(value)


class Name:
    """A name of what the daemon has: "voices", "speakers" or "emotions"."""

    def __init__(self, of: str) -> None:
        self.of = of

    def __call__(self, value: str) -> str:
        return utf8(value)


class Word:
    """One of `known`; unlike argparse's `choices` also where there may be none or several."""

    def __init__(self, what: str, known: Sequence[str]) -> None:
        self._what, self.known = what, tuple(known)

    def __call__(self, value: str) -> str:
        if value not in self.known:
            text = f"{value!r} is no {self._what}; name one of {', '.join(self.known)}"
            raise argparse.ArgumentTypeError(text)
        return value


class List:
    """Some of `known`, apart by commas."""

    def __init__(self, what: str, known: Sequence[str]) -> None:
        self._what, self.known = what, tuple(known)

    def __call__(self, value: str) -> list[str]:
        words = [word for word in value.split(",") if word]
        for word in words:
            if word not in self.known:
                text = f"{word!r} is no {self._what}; name some of {', '.join(self.known)}"
                raise argparse.ArgumentTypeError(text)
        return words


def reading(value: str) -> tuple[str, str]:
    """WORD=PINYIN."""
    word, equals, pinyin = utf8(value).partition("=")
    if not (word and equals and pinyin):
        raise argparse.ArgumentTypeError(f"{value!r} is not WORD=PINYIN: 一杯='yi1 bei1'")
    return word, pinyin


class Readings(argparse.Action):
    """Collects readings by their words."""

    def __call__(
        self, parser: object, options: argparse.Namespace, value: Any, _: object = None
    ) -> None:
        word, pinyin = value
        setattr(options, self.dest, {**(getattr(options, self.dest) or {}), word: pinyin})


def positive(value: str) -> int:
    """A whole number from 1 on."""
    if not (value.isdecimal() and int(value) > 0):
        raise argparse.ArgumentTypeError(f"{value!r} is not a whole number of 1 or more")
    return int(value)


def between(low: float, high: float) -> Callable[[str], float]:
    """The type of a numeric option with a range."""

    def number(value: str) -> float:
        try:
            found = float(value)
        except ValueError:
            found = float("nan")
        if not low <= found <= high:
            text = f"{value!r} is not a number from {low:g} to {high:g}"
            raise argparse.ArgumentTypeError(text)
        return found

    return number
