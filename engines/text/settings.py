"""What an owner may choose about the reading of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Emoji = Literal["drop", "name"]
Links = Literal["spell", "name"]

EMOJI: Final[tuple[Emoji, ...]] = get_args(Emoji)
LINKS: Final[tuple[Links, ...]] = get_args(Links)


@dataclass(frozen=True, slots=True)
class TextSettings:
    """How signs are read that have more than one good reading.

    emoji: drop (left out, and reported) or name (said by name, with a pause around it).
    links: spell (www点example点com) or name (网址, 邮箱地址).

    Raises ValueError for any other value.
    """

    emoji: Emoji = "drop"
    links: Links = "spell"

    def __post_init__(self) -> None:
        _check("emoji", self.emoji, EMOJI)
        _check("links", self.links, LINKS)


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} is one of {', '.join(known)}, not {value!r}")
