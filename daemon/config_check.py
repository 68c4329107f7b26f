"""What of the files that settings name would keep the daemon from starting; nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from daemon.config import Config
from daemon.voices import packs
from engines.errors import VoiceError
from engines.pack import VoicePack
from engines.text.lexicon_file import LexiconFile


def lexicon_faults(config: Config) -> list[str]:
    """A line on each lexicon that cannot be read."""
    lexicons = (LexiconFile(Path(path)) for path in config.text.lexicons)
    return [file.problem for file in lexicons if file.problem]


def voice_faults(config: Config) -> tuple[list[VoiceError], bool]:
    """What is wrong with the voices, and whether none or not the default one can be used.

    Of the packs the hashes are checked: what they hold may still turn out to be of no use.
    """
    try:
        folders = packs(config.voices)
    except VoiceError as error:
        return [error], True
    names: list[str] = []
    faults = list(_broken(folders, names))
    default = config.voice
    if not names:
        text = f"no voice in {config.voices} can be used; copy one there, or name another folder"
        return [*faults, VoiceError("voice_not_found", text)], True
    if default and default not in names:
        known = ", ".join(names)
        text = f"voice: no voice {default!r} in {config.voices}; choose of {known}"
        return [*faults, VoiceError("voice_not_found", text)], True
    return faults, False


def _broken(folders: list[Path], names: list[str]) -> Iterator[VoiceError]:
    """The packs that cannot be used; the others' names go to `names`."""
    for folder in folders:
        try:
            names.append(VoicePack(folder).file.name)
        except VoiceError as error:
            yield error
