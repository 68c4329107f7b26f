"""The commands of `sambertctl` and their arguments, for argparse."""

from __future__ import annotations

import argparse
from importlib import metadata
from typing import Any, get_args

from . import change, extras, look
from . import protocol as wire
from .argument import Name, Word, file_name, folder_name, positive, utf8
from .completion import add_completion
from .exits import Parser
from .keys import add_keys
from .say_options import add_prefetch, add_say

ONE = "of one utterance; default: all: an admin's of every client, else those of this user"
SHOWS = ("voices", "status", "engines", "stats", "events", "info")
CHANGES = ("load", "unload", "reload", "keys")
OURS = ("say", "prefetch", "cancel", "pause", "resume", *CHANGES, *SHOWS, "completion")


def parser(*, as_json: bool = False) -> argparse.ArgumentParser:
    """Of all of them."""
    whole = Parser(
        as_json=as_json,
        prog="sambertctl",
        description="Speak Mandarin through sambertd, and look after it.",
        epilog=_epilog(),
    )
    whole.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    reach = _reach()
    common = argparse.ArgumentParser(add_help=False, parents=[reach])
    common.add_argument("--json", action="store_true", help="facts as one JSON object")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_say(commands, common)
    add_prefetch(commands, common)
    add_keys(commands)
    _add_shows(commands, common)
    _add_holds(commands, common)
    _add_changes(commands, common)
    add_completion(commands, reach, whole)
    return whole


def _reach() -> argparse.ArgumentParser:
    """The options that say where a daemon is, and how to get in."""
    reach = argparse.ArgumentParser(add_help=False)
    words = "default: the user's own daemon, else the system's"
    reach.add_argument("--endpoint", type=utf8, help=words)
    keys = "to speak over TCP: what `sambertctl keys new` wrote"
    reach.add_argument("--key-file", metavar="FILE", type=file_name, help=keys)
    server = "and what `sambertctl keys server` prints on the daemon's box"
    reach.add_argument("--server-key", metavar="PUBLIC", type=utf8, help=server)
    return reach


def _add_shows(commands: Any, common: argparse.ArgumentParser) -> None:
    for name, run, words in (
        ("voices", look.voices, "the voices of the daemon"),
        ("status", look.status, "what the daemon is doing and how well"),
        ("engines", look.engines, "what runs each graph, and what is being built"),
        ("stats", look.stats, "what was asked and how it went, in figures"),
        ("info", look.info, "version, protocol and limits of the daemon"),
    ):
        command = commands.add_parser(name, parents=[common], help=words, description=words)
        command.set_defaults(run=run)
        if name == "stats":
            figures = "in the text format of Prometheus, for its textfile collector"
            command.add_argument("--prometheus", action="store_true", help=figures)
    words = "what happens, as it happens, until interrupted"
    events = commands.add_parser("events", parents=[common], help=words, description=words)
    kinds = get_args(wire.EventKind)
    events.add_argument(
        "kind",
        nargs="*",
        type=Word("kind of event", kinds),
        help=f"of {', '.join(kinds)}; default: all",
    )
    events.add_argument("--count", type=positive, metavar="N", help="end after so many")
    events.set_defaults(run=look.events)


def _add_holds(commands: Any, common: argparse.ArgumentParser) -> None:
    words = "end speech at once"
    cancel = commands.add_parser("cancel", parents=[common], help=words, description=words)
    cancel.add_argument("id", nargs="?", metavar="ID", type=utf8, help=ONE)
    cancel.add_argument(
        "--priority", choices=get_args(wire.Priority), help="only utterances of this priority"
    )
    cancel.set_defaults(run=look.cancel)
    for name, run, words in (
        ("pause", look.pause, "hold speech until it is resumed"),
        ("resume", look.resume, "let speech go on that is paused"),
    ):
        command = commands.add_parser(name, parents=[common], help=words, description=words)
        command.add_argument("id", nargs="?", metavar="ID", type=utf8, help=ONE)
        command.set_defaults(run=run)


def _add_changes(commands: Any, common: argparse.ArgumentParser) -> None:
    words = "read the settings and the folder of voices again, while it speaks"
    command = commands.add_parser("reload", parents=[common], help=words, description=words)
    command.set_defaults(run=change.reload)
    pack = "a folder of the daemon's voices, or its path"
    words = "load a voice, or load it again as it is now"
    command = commands.add_parser("load", parents=[common], help=words, description=words)
    command.add_argument("name", metavar="NAME|PATH", type=folder_name, help=pack)
    command.set_defaults(run=change.load)
    words = "take a voice out of the memory"
    command = commands.add_parser("unload", parents=[common], help=words, description=words)
    command.add_argument("name", metavar="NAME", type=Name("voices"), help="of the voice")
    command.set_defaults(run=change.unload)


class _Version(argparse.Action):
    """Looks the version up only when asked: that reads the installation's files."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"{parser.prog} {metadata.version('sambertd-client')}")
        parser.exit()


def _epilog() -> str:
    others = [
        f"    {name:<9} {extras.OF_SAMBERTD.get(name, 'of another package')}"
        for name in extras.names()
    ]
    return "\n".join(["commands of installed packages:", *others]) if others else ""
