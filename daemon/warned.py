"""What a client is warned of in `done`: what of its text is not said, or not as it should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sambertd_client import protocol as wire

from engines.text.sentence import Unread

MOST: Final = 32  # in one `done`
SHOWN: Final = 20  # characters of one
_WORDS: Final[Mapping[str, str]] = {
    "character_unreadable": "is left out, it cannot be read: write Chinese characters, Latin "
    "letters or digits",
    "emoji_left_out": "is left out: a picture has no sound, write what it shows",
    "pinyin_refused": "is left out: write pinyin with tones from 1 to 5 after as many characters",
    "english_as_mandarin": "and all other English is said with the nearest Mandarin sounds, the "
    "voice knows no others: give words Chinese readings in a lexicon where that is not good enough",
}


class Warnings:
    """Of one utterance. The engine's thread takes them up, any thread may ask for them."""

    def __init__(self) -> None:
        self._taken: list[wire.TextWarning] = []
        self._more = 0

    def take(self, unread: Sequence[Unread], start: int) -> None:
        """What was found in a text that begins at character `start` of the client's own."""
        room = MOST - 1 - len(self._taken)
        self._taken += [_warning(one, start) for one in unread[: max(0, room)]]
        self._more += max(0, len(unread) - room)

    def told(self) -> list[wire.TextWarning]:
        """In the order of the text; the last tells how many more there are."""
        if not self._more:
            return list(self._taken)
        text = f"{self._more} more places of the text are left out, or not said as they should be"
        return [*self._taken, wire.TextWarning(code="more_warnings", text=text)]


def _warning(unread: Unread, start: int) -> wire.TextWarning:
    shown = unread.text if len(unread.text) <= SHOWN else unread.text[:SHOWN] + "…"
    words = _WORDS.get(unread.code, f"is not said as it should be ({unread.code})")
    first, end = start + unread.start, start + unread.end
    return wire.TextWarning(
        code=unread.code,
        text=f"{shown!r}, characters {first} to {end}, {words}",
        start=first,
        end=end,
    )
