"""Where a sentence ends: what a full stop in Latin text means, and what closes a sentence."""

from __future__ import annotations

import re
from typing import Final

CLOSERS: Final = "”’」』)）】》〉\"'"

# "Dr.", "e.g.", an initial or one letter of many ("U.S.A."), and the number of a line in a list.
_SHORT: Final = re.compile(
    r"(?:(?<![A-Za-z])(?:Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|vs|cf|[A-Za-z])|(?:^|\n)[ \t]*\d{1,3})\.$"
)
_COUNTED: Final = re.compile(
    r"(?<![A-Za-z])(?:No|Nos|Vol|Fig|Ch|Sec|Art|pp?|ver|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)"
    r"\.$",
    re.I,
)
_REACH = 8  # characters before a full stop that tell what it is


def is_stop(text: str, place: int) -> bool | None:
    """Whether the full stop at `place`, before a blank, ends a sentence.

    None: that depends on what comes after the blanks, and the text ends there ("No. 5").
    """
    before = text[max(0, place - _REACH) : place + 1]
    if _SHORT.search(before):
        return False
    if not _COUNTED.search(before):
        return True
    after = text[place + 1 :].lstrip()
    return None if not after else not after[0].isdigit()
