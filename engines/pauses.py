"""The silence after a part of a text, by the punctuation that ended it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Mark = Literal["。", "！", "？", "…", "；", "：", "，", "、", "—", "newline", "none"]

LONGEST_PAUSE: Final = 5.0  # seconds

# A voice itself ends a part with a short silence (its symbol #4), which comes before these.
PAUSES: Final[Mapping[Mark, float]] = {
    "。": 0.28,
    "！": 0.28,
    "？": 0.28,
    "…": 0.4,
    "；": 0.2,
    "：": 0.16,
    "，": 0.1,
    "、": 0.06,
    "—": 0.16,
    "newline": 0.5,
    "none": 0.02,
}
_ALIKE: Final[Mapping[str, Mark]] = {
    "。": "。",
    ".": "。",
    "！": "！",
    "!": "！",
    "？": "？",
    "?": "？",
    "…": "…",
    "；": "；",
    ";": "；",
    "：": "：",
    ":": "：",
    "、": "、",
    "/": "、",
    "—": "—",
    "\n": "newline",
}


def pause_after(marks: str, pauses: Mapping[Mark, float]) -> float:
    """Seconds of silence for a run of punctuation: its longest pause, so "？！" is one pause.

    pauses: what differs from PAUSES. Brackets and all other marks count as a comma.
    """
    told = [_ALIKE.get(mark, "，") for mark in marks] or ["none"]
    return max(pauses.get(mark, PAUSES[mark]) for mark in told)
