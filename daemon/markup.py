"""How long a text is that is written in a markup, before anybody has read it."""

from __future__ import annotations

import re

from sambertd_client.protocol import Markup

_TAG = re.compile(r"<[^<>]*>")  # linear, whatever the text
_SYLLABLE = re.compile(
    r"\$s_(?:begin|both)\b|(?<!\S)[a-zü:]+[1-5](?!\S)|(?<!\S)[A-Z]{2}[0-2](?!\S)"
)


def spoken_chars(text: str, markup: Markup) -> int:
    """Characters to speak: of SSML those outside its tags, of symbols one for each syllable."""
    if markup == "ssml":
        return len(_TAG.sub("", text))
    return sum(1 for _ in _SYLLABLE.finditer(text)) if markup == "symbols" else len(text)
