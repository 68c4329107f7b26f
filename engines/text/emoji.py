"""Emoji said by name. The names are those of Unicode CLDR in Chinese (see data/README.md)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).parent / "data" / "emoji" / "zh.txt"

_ONE: Final = "[\u2300-\u23ff\u2600-\u27bf\u2b50\u2b55\U0001f000-\U0001faff]"
_LOOKS: Final = "\ufe0f\U0001f3fb-\U0001f3ff"  # as a picture, and shades of skin
_EMOJI: Final = re.compile(
    f"[\U0001f1e6-\U0001f1ff]{{2}}|{_ONE}[{_LOOKS}]*(?:\u200d{_ONE}[{_LOOKS}]*)*"
)
_NEEDLESS: Final = re.compile("，+(?=[，。！？；：、…!?,;\n]|$)|(?<=[。！？；：、…!?,;\n])，+")
_SHADES: Final = re.compile(f"[{_LOOKS}]")


def name_emoji(text: str) -> str:
    """The text with a name and pauses for each emoji; those without a name stay."""
    named = _EMOJI.sub(_named, text)
    return _NEEDLESS.sub("", named) if named != text else text


def _named(match: re.Match[str]) -> str:
    emoji = _SHADES.sub("", match[0])
    names = _names()
    name = names.get(emoji) or names.get(emoji.partition("\u200d")[0])
    return f"，{name}，" if name else match[0]


@cache
def _names() -> dict[str, str]:
    lines = DATA.read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines)
