"""What a rewriting rule is: a pattern and what stands in its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

Rule: TypeAlias = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def rule(pattern: str, replacement: str | Callable[[re.Match[str]], str]) -> Rule:
    """A rule from a pattern as text; ^ and $ are ends of lines."""
    return re.compile(pattern, re.M), replacement


LATIN = r"(?<![A-Za-z])"  # no letter before
NUMBER = r"\d+(?:\.\d+)?"
WHOLE = r"(?<![\d.])"  # a number begins here
