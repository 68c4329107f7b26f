"""The commands of `sambertctl` that change what a daemon has loaded. Each returns its exit code."""

from __future__ import annotations

import argparse
import os

from .client import Client
from .errors import SambertdError
from .exits import WrongError
from .launch import connect
from .look import as_json
from .terminal import Progress


def load(options: argparse.Namespace) -> int:
    """Raises SambertdError."""
    progress = Progress(quiet=options.json)
    with connect(options.endpoint, progress) as client:
        name = _folder_name(client, options.name)
        progress.tell(f"loading voice {name}")
        loaded = client.load(name)
    progress.clear()
    if not as_json(loaded, options):
        words = "loaded again" if loaded.replaced else "loaded"
        print(f"{words} voice {loaded.voice} in {loaded.took_s:.1f} s")
    return 0


def reload(options: argparse.Namespace) -> int:
    """Exit code 1 where something was not taken. Raises SambertdError."""
    progress = Progress(quiet=options.json)
    with connect(options.endpoint, progress) as client:
        progress.tell("reading the settings again")
        reloaded = client.reload()
    progress.clear()
    if not as_json(reloaded, options):
        for what, names in (
            ("changed", reloaded.changed),
            ("loaded", reloaded.loaded),
            ("unloaded", reloaded.unloaded),
            ("after a restart", reloaded.restart),
        ):
            if names:
                print(f"{what}: {', '.join(names)}")
        if not any((reloaded.changed, reloaded.loaded, reloaded.unloaded, reloaded.restart)):
            print("nothing has changed")
        for problem in reloaded.problems:
            progress.warn(problem)
    return 1 if reloaded.problems else 0


def unload(options: argparse.Namespace) -> int:
    """Raises SambertdError."""
    with connect(options.endpoint, Progress(quiet=options.json)) as client:
        unloaded = client.unload(options.name)
    if not as_json(unloaded, options):
        ends = f"; {unloaded.live} utterances end on it" if unloaded.live else ""
        print(f"unloaded voice {unloaded.voice}{ends}")
    return 0


def _folder_name(client: Client, given: str) -> str:
    """The name of a pack's folder, also where its path was given. Raises SambertdError."""
    if os.sep not in given and given not in (".", ".."):
        return given
    folder, name = os.path.split(os.path.abspath(given))
    if not os.path.isdir(given):
        raise WrongError(f"there is no folder {given}; name a voice pack's")
    voices = client.voices().folder
    if os.path.realpath(folder) != os.path.realpath(voices):
        raise SambertdError(
            f"{given} is not in the daemon's folder of voices; copy it there first: "
            f"cp -r {given} {os.path.join(voices, name)}"
        )
    return name
