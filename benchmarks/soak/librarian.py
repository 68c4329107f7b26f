"""Voices come and go while others speak."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from sambertd_client import protocol as wire

from benchmarks.sentences import SENTENCES
from benchmarks.soak.clients import Talker
from benchmarks.soak.texts import Text
from benchmarks.speed import BUILT_IN

SECOND = "yue-two"  # behind the first by name, which so is the default


def shelf(folder: Path) -> Path:
    """A folder with the built-in voice, and with the same again under another name."""
    shutil.copytree(BUILT_IN, folder / BUILT_IN.name)
    shutil.copytree(BUILT_IN, folder / SECOND)
    file = folder / SECOND / "voice.toml"
    text = file.read_text("utf-8")
    named = re.sub(r'^name = ".*"$', f'name = "{SECOND}"', text, count=1, flags=re.MULTILINE)
    file.write_text(named, "utf-8")
    return folder


class Librarian(Talker):
    """Loads both voices again and takes the second away for a moment, in the midst of speech."""

    def deeds(self) -> list[Callable[[], None]]:
        """In turn."""
        return [self.renew, self.take_away]

    def renew(self) -> None:
        """What is spoken meanwhile ends on the old one."""
        voice = self.chance.choice([BUILT_IN.name, SECOND])
        spoken = self.say("voice renewed", Text(self.chance.choice(SENTENCES)), voice=voice)
        self.client.load(voice)
        self.hear("voice renewed", spoken, frozenset())
        self.desk.nap(6)

    def take_away(self) -> None:
        """What was accepted ends on it, and nothing more is; then it comes back."""
        spoken = self.say("voice unloaded", Text(self.chance.choice(SENTENCES)), voice=SECOND)
        self.client.unload(SECOND)
        with self.account.booked("voice gone", frozenset({wire.UNKNOWN_VOICE})):
            self.client.say(SENTENCES[0], voice=SECOND)
            self.account.fault("a voice that was unloaded has accepted a request")
        self.hear("voice unloaded", spoken, frozenset())
        self.client.load(SECOND)
        self.desk.nap(6)
