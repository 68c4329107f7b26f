"""The lexicons of the system and of the voices, read again when their files change."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.text_config import TextConfig
from engines.text.lexicon import Lexicon
from engines.text.lexicon_file import LexiconFile
from engines.text.settings import TextSettings

if TYPE_CHECKING:
    from daemon.resident import Resident

log = logging.getLogger(__name__)


class Lexicons:
    """One thread at a time changes and looks; `problems` may be read by any.

    A file that is wrong leaves the words it had before.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []  # a line for people on each file that is wrong
        self._config: TextConfig | None = None
        self._files: dict[str, LexiconFile] = {}

    def change(self, config: TextConfig) -> None:
        """Other files and settings; a file that was read before keeps its words."""
        before, self._config = self._config, config
        known = self._files
        self._files = {path: known.get(path) or LexiconFile(Path(path)) for path in config.lexicons}
        if before != config and (before is not None or config != TextConfig()):
            self._apply(config.settings)

    def look(self, residents: Iterable[Resident] = ()) -> list[str]:
        """Read again what has changed; what is new, for people."""
        system = list(self._files.values())
        own = [resident.voice.lexicon for resident in residents]
        read = [file for file in (*system, *own) if file.look()]
        if self._config is not None and any(file in system for file in read):
            self._apply(self._config.settings)
        known, self.problems = self.problems, [f.problem for f in (*system, *own) if f.problem]
        new = [text for text in self.problems if text not in known]
        wrong = [f"{text}; the words from before stay" for text in new]
        fine = [_count(file) for file in read if not file.problem]
        for text in wrong:
            log.error("%s", text)
        for text in fine:
            log.info("%s", text)
        return wrong + fine

    def _apply(self, settings: TextSettings) -> None:
        """To the front end, which all voices share."""
        from engines.voice import front_end  # heavy: it takes a second

        words = Lexicon()
        for file in self._files.values():
            words = file.lexicon.over(words)
        front_end().lexicon, front_end().settings = words, settings


def _count(file: LexiconFile) -> str:
    return f"lexicon {file.path} read, {len(file.lexicon.entries)} words"
