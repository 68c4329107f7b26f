"""Readings of single polyphones by the characters beside them: 一只 zhi1, 只有 zhi3."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).parent / "data" / "words" / "context.txt"

_NUMBER = "[零一二三四五六七八九十百千万亿两]"
_TITLE = "先生|女士|小姐|太太|老师|总|经理|医生|大夫|师傅|教授|主任|院长|同学|某"
_PAUSE = re.compile(r"[^\w]")
_REACH = 4  # characters a rule may look at on either side


class Contexts:
    """Rules of context.txt: character, reading, what must stand left of it, what right of it."""

    def __init__(self) -> None:
        self._rules: dict[str, list[tuple[re.Pattern[str] | None, re.Pattern[str] | None, str]]]
        self._rules = {}
        for line in DATA.read_text(encoding="utf-8").splitlines():
            character, reading, left, right = (
                line.replace("{数}", _NUMBER).replace("{称}", _TITLE).split()
            )
            before = re.compile(f"(?:{left.replace('$', '^')})$") if left != "_" else None
            after = re.compile(right) if right != "_" else None
            self._rules.setdefault(character, []).append((before, after, reading))

    def read(self, text: str, position: int) -> str:
        """The reading the first matching rule gives, "" where none does."""
        rules = self._rules.get(text[position])
        if not rules:
            return ""
        left = _PAUSE.split(text[max(0, position - _REACH) : position])[-1]
        right = _PAUSE.split(text[position + 1 : position + 1 + _REACH])[0]
        for before, after, reading in rules:
            if (before is None or before.search(left)) and (after is None or after.match(right)):
                return reading
        return ""
