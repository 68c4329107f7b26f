"""The commands of `sambertctl` and their arguments, for argparse."""

from __future__ import annotations

import argparse
from importlib import metadata
from typing import Any, get_args

from . import change, extras, look
from . import protocol as wire
from .argument import Name, Word, file_name, pack_name, positive, utf8
from .completion import add_completion
from .keys import add_keys
from .parser import Parser
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
    commands = whole.add_subparsers(
        title="commands", dest="command", required=True, metavar="COMMAND"
    )
    add_say(commands, common)
    add_prefetch(commands, common)
    _add_holds(commands, common)
    _add_looks(commands, common)
    _add_changes(commands, common)
    add_keys(commands)
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


def _add_holds(commands: Any, common: argparse.ArgumentParser) -> None:
    """What ends speech or holds it."""
    for name, run, words in (
        ("cancel", look.cancel, "end speech at once"),
        ("pause", look.pause, "hold speech until it is resumed"),
        ("resume", look.resume, "let speech go on that is paused"),
    ):
        command = commands.add_parser(name, parents=[common], help=words, description=words)
        command.add_argument("id", nargs="?", metavar="ID", type=utf8, help=ONE)
        if name == "cancel":
            only = "only utterances of this priority"
            command.add_argument("--priority", choices=get_args(wire.Priority), help=only)
        command.set_defaults(run=run)


def _add_looks(commands: Any, common: argparse.ArgumentParser) -> None:
    """What changes nothing."""
    for name, run, words in (
        ("status", look.status, "what the daemon is doing and how well"),
        ("voices", look.voices, "the voices of the daemon"),
        ("engines", look.engines, "what runs each graph, and what is being built"),
        ("stats", look.stats, "what was asked and how it went, in figures"),
        ("info", look.info, "version, protocol and limits of the daemon"),
        ("events", look.events, "what happens, as it happens, until interrupted"),
    ):
        command = commands.add_parser(name, parents=[common], help=words, description=words)
        command.set_defaults(run=run)
        if name == "stats":
            figures = "in the text format of Prometheus, for its textfile collector"
            command.add_argument("--prometheus", action="store_true", help=figures)
        if name == "events":
            _add_kinds(command)


def _add_kinds(events: argparse.ArgumentParser) -> None:
    kinds = get_args(wire.EventKind)
    of = f"of {', '.join(kinds)}; default: all"
    kind = Word("kind of event", kinds)
    events.add_argument("kind", nargs="*", metavar="KIND", type=kind, help=of)
    events.add_argument("--count", type=positive, metavar="N", help="end after so many")


def _add_changes(commands: Any, common: argparse.ArgumentParser) -> None:
    pack = "a folder of the daemon's voices, or its path"
    words = "load a voice, or load it again as it is now"
    command = commands.add_parser("load", parents=[common], help=words, description=words)
    command.add_argument("name", metavar="NAME|PATH", type=pack_name, help=pack)
    command.set_defaults(run=change.load)
    words = "take a voice out of the memory"
    command = commands.add_parser("unload", parents=[common], help=words, description=words)
    command.add_argument("name", metavar="NAME", type=Name("voices"), help="of the voice")
    command.set_defaults(run=change.unload)
    words = "read the settings and the folder of voices again, while it speaks"
    command = commands.add_parser("reload", parents=[common], help=words, description=words)
    command.set_defaults(run=change.reload)


class _Version(argparse.Action):
    """Looks the version up only when asked: that reads the installation's files."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"{parser.prog} {metadata.version('sambertd-client')}")
        parser.exit()


EXAMPLES = """examples:
  sambertctl say 您好，欢迎光临。
  sambertctl say 您好 --emotion happy --out hello.wav
  sambertctl status"""


def _epilog() -> str:
    others = [
        f"    {name:<12}{extras.OF_SAMBERTD.get(name, 'of another package')}"
        for name in extras.names()
    ]
    if not others:
        return EXAMPLES
    return "\n".join(["commands of installed packages:", *others, "", EXAMPLES])
