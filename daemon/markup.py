"""How long a text is that is written in a markup, before anybody has read it.

In the daemon's loop, where everybody waits: all of it is linear, whatever the text.
"""

from __future__ import annotations

import re
from typing import Final

from sambertd_client.protocol import Markup

CHAR_S: Final = 0.5  # of a character, as the limits count: of silence that is asked for
_TAG: Final = re.compile(r"<[^<>]*>")
_SAID: Final = re.compile(r"""\b(?:alias|ph)\s*=\s*(?:"[^"<]*"|'[^'<]*')""")
_TIME: Final = re.compile(r"""\btime\s*=\s*["']\s*\+?([0-9.]{1,12})(m?)s""")
_BREAK_S: Final = 1.0  # of a break that names no time
_LONGEST_S: Final = 10.0  # that a break may have, and one has whose time is not read here
_SYLLABLE: Final = re.compile(
    r"\$s_(?:begin|both)\b|(?<!\S)[a-zü:]+[1-5](?!\S)|(?<!\S)[A-Z]{2}[0-2](?!\S)"
)
_MOST_PHONES: Final = 5  # of a syllable


def spoken_chars(text: str, markup: Markup) -> int:
    """Characters to speak. Of SSML those outside its tags, in their place (alias, ph), and one for
    every half second of a break; of symbols one for each syllable."""
    if markup == "symbols":
        syllables = sum(1 for _ in _SYLLABLE.finditer(text))
        return max(syllables, len(text.split()) // _MOST_PHONES)
    if markup == "text":
        return len(text)
    breaks = (_break_s(tag[0]) for tag in _TAG.finditer(text) if tag[0].startswith("<break"))
    in_place = sum(len(found[0]) for found in _SAID.finditer(text))
    return len(_TAG.sub("", text)) + in_place + int(sum(breaks) / CHAR_S)


def _break_s(tag: str) -> float:
    """Seconds of a <break>, at most those that it may have."""
    found = _TIME.search(tag)
    if found is None:
        return _LONGEST_S if "time" in tag else _BREAK_S
    try:
        return min(float(found[1]) / (1000.0 if found[2] else 1.0), _LONGEST_S)
    except ValueError:
        return _LONGEST_S
