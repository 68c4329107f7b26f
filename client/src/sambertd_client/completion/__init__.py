"""`sambertctl completion`: what a shell needs to complete `sambertctl`, made from its parsers."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from .. import protocol as wire
from ..client import Client
from ..endpoint import is_listening
from ..errors import SambertdError
from ..exits import WrongError
from ..extras import parsers
from . import bash, fish, zsh
from .tree import Command, tree

WORDS = "print what completes sambertctl in a shell"
INSTALLED = """The installed service has it in place already. Else, once:
  bash  sambertctl completion bash > ~/.local/share/bash-completion/completions/sambertctl
  zsh   sambertctl completion zsh > FOLDER/_sambertctl     a folder of $fpath, before compinit
  fish  sambertctl completion fish > ~/.config/fish/completions/sambertctl.fish
or for this shell alone:  source <(sambertctl completion bash)"""
SHELLS: dict[str, Callable[[Command], str]] = {
    "bash": bash.script,
    "zsh": zsh.script,
    "fish": fish.script,
}
SORTS = ("voices", "speakers", "emotions")
ANSWER_S = 1.5  # a person waits, who has pressed Tab


def add_completion(
    commands: Any, reach: argparse.ArgumentParser, whole: argparse.ArgumentParser
) -> None:
    """The command, to the parser `whole`. reach: the options that say where a daemon is."""
    parser = commands.add_parser(
        "completion",
        parents=[reach],
        help=WORDS,
        description=WORDS,
        epilog=INSTALLED,
    )
    parser.add_argument("shell", nargs="?", choices=SHELLS, help="default: that of $SHELL")
    names = "instead, the names that the daemon has, a line each; none where no daemon answers"
    parser.add_argument("--names", choices=SORTS, help=names)
    parser.set_defaults(run=_run, whole=whole)


def _run(options: argparse.Namespace) -> int:
    if options.names:
        print("".join(f"{name}\n" for name in _names(options.endpoint, options.names)), end="")
        return 0
    shell = options.shell or os.path.basename(os.environ.get("SHELL", ""))
    if shell not in SHELLS:
        raise WrongError(f"name the shell: sambertctl completion {'|'.join(SHELLS)}")
    sys.stdout.write(SHELLS[shell](tree(options.whole, parsers())))
    return 0


def _names(endpoint: str, sort: str) -> list[str]:
    """Those the daemon has now; none where it does not answer at once."""
    try:
        if not is_listening(endpoint):
            return []
        with Client(endpoint, timeout=ANSWER_S) as client:
            voices = client.voices().voices
    except (SambertdError, OSError):
        return []
    return sorted({name for voice in voices for name in _of(voice, sort) if name.isprintable()})


def _of(voice: wire.VoiceEntry, sort: str) -> Iterator[str]:
    if sort == "voices":
        yield voice.name
    else:
        yield from voice.speakers if sort == "speakers" else voice.emotions
