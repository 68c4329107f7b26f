"""[text] of the settings: how what is written is read, by all voices.

lexicons: files of readings (CSV or TOML), looked at every second; where two have a word the later
one settles it. A voice's own lexicon stands above them, and that of a request above all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from daemon.config_errors import one_of
from engines.text.settings import EMOJI, LINKS, Emoji, Links, TextSettings


@dataclass(frozen=True, slots=True)
class TextConfig:
    lexicons: tuple[str, ...] = ()
    emoji: str = "drop"
    links: str = "spell"

    def checked(self) -> None:
        """Raises ConfigError for a value that is none."""
        one_of("text.emoji", self.emoji, EMOJI)
        one_of("text.links", self.links, LINKS)

    def within(self, folder: Path) -> TextConfig:
        """Paths meant from this folder on."""
        return replace(self, lexicons=tuple(str(folder / path) for path in self.lexicons))

    @property
    def settings(self) -> TextSettings:
        return TextSettings(cast(Emoji, self.emoji), cast(Links, self.links))
