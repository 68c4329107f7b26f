"""Text that arrives in pieces, cut into sentences, each as soon as its end is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from engines.text.endings import CLOSERS, is_stop

LONG: Final = 60  # characters without the end of a sentence that are cut at a clause
LONGEST: Final = 120  # characters without a clause that are cut between words
_ENDLESS: Final = 1000  # characters without a blank in Latin text, such as a link

_END: Final = re.compile(rf"[。！？!?；;…\n]+[{CLOSERS}]*|\.[{CLOSERS}]*(?=\s)")
_CLAUSE: Final = re.compile(r"[，、]|[,:：](?=\D)")
_LATIN: Final = re.compile(r"[!-~]")
_LINK: Final = re.compile(r"[!-~]*[./@][!-~]*$")
_ENTITY: Final = re.compile(r"&#?[A-Za-z0-9]{1,8}$")


class Text(NamedTuple):
    """What is said at once, and where in all of the text it begins."""

    text: str
    start: int


class TextFlow:
    """Cuts a text into sentences; the same ones however it is fed.

    Only marks that have no sound may fall to the sentence before or after: a sentence is handed
    out with the first 。 and does not wait whether a 」 still comes.
    """

    def __init__(self) -> None:
        self._rest = ""
        self._start = 0  # of the rest, in all that was fed

    def __len__(self) -> int:
        """Characters of the sentence that has no end yet."""
        return len(self._rest)

    def feed(self, text: str) -> list[Text]:
        """The sentences that this piece completes; a long one is cut, see LONG and LONGEST."""
        self._rest += text
        return [one for one in self._cut() if one.text.strip()]

    def end(self) -> list[Text]:
        """What is left, the last sentence."""
        rest, self._rest = Text(self._rest, self._start), ""
        self._start += len(rest.text)
        return [rest] if rest.text.strip() else []

    def _cut(self) -> Iterator[Text]:
        done = 0
        while length := _sentence(self._rest[done : done + _ENDLESS + 1]):
            yield Text(self._rest[done : done + length], self._start + done)
            done += length
        self._rest, self._start = self._rest[done:], self._start + done


def _sentence(text: str) -> int:
    """Length of the first sentence, 0 while its end is not there."""
    end = _first_end(text, LONGEST)
    if 0 < end <= LONG or (end < 0 and len(text) <= LONG):
        return max(0, end)
    if len(text) <= LONG:
        return 0
    clauses = [found.end() for found in _CLAUSE.finditer(text)]
    near = [place for place in clauses if place <= LONG]
    if near:
        return near[-1]
    first = min((place for place in (*clauses, end) if place > 0), default=0)
    if 0 < first <= LONGEST:
        return first
    if len(text) <= LONGEST:
        return 0
    far = _between_words(text) or _first_end(text, _ENDLESS)
    return far if far > 0 else len(text) if len(text) > _ENDLESS else 0


def _first_end(text: str, reach: int) -> int:
    """Where the first sentence ends; 0 for nowhere, -1 where that is not to be told yet.

    reach: characters in which its mark stands.
    """
    for match in _END.finditer(text):
        if match.start() > reach:
            return 0
        if match[0][0] == ".":
            stop = is_stop(text, match.start())
        elif match[0][0] in "!?;":
            stop = _is_end(text, match)
        else:
            stop = True
        if stop is None:
            return -1
        if stop:
            return match.end()
    return 0


def _is_end(text: str, match: re.Match[str]) -> bool | None:
    """Whether an ASCII mark ends a sentence, and is not part of a link or an entity."""
    before = text[: match.start()]
    if match[0][0] == ";" and _ENTITY.search(before):
        return False
    if not _LINK.search(before):
        return True
    following = text[match.end() : match.end() + 1]
    return None if not following else not _LATIN.match(following)


def _between_words(text: str) -> int:
    """The last place between two words; none is inside of a run of Latin letters and digits."""
    from engines.text.segment import words  # loads a dictionary, which a short text does not need

    place = best = 0
    for word in words(text[:LONGEST]):
        if not (place and _LATIN.match(text[place]) and _LATIN.match(text[place - 1])):
            best = place
        place += len(word)
    return best
