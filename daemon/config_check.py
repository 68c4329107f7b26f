"""What of the files that settings name would keep the daemon from starting; nothing is loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sambertd_client.endpoint import daemon_endpoint

from daemon.config import Config
from daemon.voices import packs
from engines.errors import VoiceError
from engines.pack import VoicePack
from engines.text.lexicon_file import LexiconFile


def lexicon_faults(config: Config) -> list[str]:
    """A line on each lexicon that cannot be read."""
    lexicons = (LexiconFile(Path(path)) for path in config.text.lexicons)
    return [file.problem for file in lexicons if file.problem]


def endpoint_faults(config: Config) -> tuple[list[str], bool]:
    """A line on the folder of the socket where it is not there; whether it cannot be made.

    What the daemon takes by itself, without an `endpoint`, is no matter of the settings.
    """
    if not config.endpoint.startswith("ipc://") or config.endpoint == daemon_endpoint():
        return [], False
    folder = Path(config.endpoint[len("ipc://") :]).parent
    if folder.is_dir():
        return [], False
    above = next(path for path in folder.parents if path.exists())
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        return [f"endpoint: the folder {folder} is not there; it will be made"], False
    cure = "make it, or name a local folder you may write"
    return [f"endpoint: the folder {folder} is not there and cannot be made; {cure}"], True


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
