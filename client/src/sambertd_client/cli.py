"""`sambertctl`: speak, and look after the daemon, from a shell; extras.py has others' commands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any, NoReturn, get_args

from . import change, extras, look
from . import protocol as wire
from .argument import (
    List,
    Name,
    Readings,
    Word,
    between,
    file_name,
    folder_name,
    positive,
    reading,
    utf8,
)
from .completion import add_completion
from .credentials import KEY_FILE, SERVER_KEY
from .endpoint import client_endpoint
from .errors import SambertdError
from .exits import INTERRUPTED, UNREAD, WRONG, failed, wants_json
from .keys import add_keys
from .parser import Parser
from .prefetch import prefetch
from .speak import say
from .terminal import flush, let_go

DASH = 'before a text that starts with "-" write "--": sambertctl say -- "-5℃"'
ONE = "of one utterance; default: all: an admin's of every client, else those of this user"
SHOWS = ("voices", "status", "engines", "stats", "events", "info")
CHANGES = ("load", "unload", "reload", "keys")
OURS = ("say", "prefetch", "cancel", "pause", "resume", *CHANGES, *SHOWS, "completion")
PRIORITIES = get_args(wire.Priority)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            return _run(arguments)
        finally:
            flush()
    except BrokenPipeError:  # as of `sambertctl events | head -1`
        let_go()
        return UNREAD


def _run(arguments: list[str]) -> int:
    if not arguments:
        _parser().print_help(sys.stderr)
        return WRONG
    as_json = wants_json(arguments)
    audio_out = False
    try:
        if arguments and arguments[0] not in OURS and not arguments[0].startswith("-"):
            extra = extras.run(arguments)
            return _unknown(arguments[0], as_json=as_json) if extra is None else extra
        options = _parser(as_json=as_json).parse_args(arguments)
        options.endpoint = options.endpoint or client_endpoint()
        as_json, audio_out = getattr(options, "json", False), getattr(options, "out", None) == "-"
        _set_keys(options)
        return int(options.run(options))
    except BrokenPipeError:
        raise
    except (SambertdError, OSError) as error:
        return failed(error, as_json=as_json, audio_out=audio_out)
    except KeyboardInterrupt:
        return INTERRUPTED


def _unknown(name: str, *, as_json: bool) -> NoReturn:
    """No package has a command of this name: a usage error, with all that there are."""
    known = ", ".join((*OURS, *sorted({*extras.names(), *extras.OF_SAMBERTD})))
    _parser(as_json=as_json).error(f"{name!r} is no command; choose of {known}")


def _set_keys(options: argparse.Namespace) -> None:
    """Every client of this command, also one that starts a daemon first, finds them there."""
    for name, variable in (("key_file", KEY_FILE), ("server_key", SERVER_KEY)):
        if getattr(options, name, None):
            os.environ[variable] = getattr(options, name)


class _Version(argparse.Action):
    """Looks the version up only when asked: that reads the installation's files."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"{parser.prog} {metadata.version('sambertd-client')}")
        parser.exit()


def _parser(*, as_json: bool = False) -> argparse.ArgumentParser:
    parser = Parser(
        as_json=as_json,
        prog="sambertctl",
        description="Speak Mandarin through sambertd, and look after it.",
        epilog=_epilog(),
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    reach = _reach()
    common = argparse.ArgumentParser(add_help=False, parents=[reach])
    common.add_argument("--json", action="store_true", help="facts as one JSON object")
    commands = parser.add_subparsers(
        title="commands", dest="command", required=True, metavar="COMMAND"
    )
    _add_say(commands, common)
    _add_prefetch(commands, common)
    _add_holds(commands, common)
    _add_looks(commands, common)
    _add_changes(commands, common)
    add_keys(commands)
    add_completion(commands, reach, parser)
    return parser


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
            command.add_argument("--priority", choices=PRIORITIES, help=only)
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


def _add_changes(commands: Any, common: argparse.ArgumentParser) -> None:
    pack = "a folder of the daemon's voices, or its path"
    words = "load a voice, or load it again as it is now"
    command = commands.add_parser("load", parents=[common], help=words, description=words)
    command.add_argument("name", metavar="NAME|PATH", type=folder_name, help=pack)
    command.set_defaults(run=change.load)
    words = "take a voice out of the memory"
    command = commands.add_parser("unload", parents=[common], help=words, description=words)
    command.add_argument("name", metavar="NAME", type=Name("voices"), help="of the voice")
    command.set_defaults(run=change.unload)
    words = "read the settings and the folder of voices again, while it speaks"
    command = commands.add_parser("reload", parents=[common], help=words, description=words)
    command.set_defaults(run=change.reload)


def _add_say(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "say",
        parents=[common],
        help="speak a text",
        description="Speak a text on the speaker of the daemon, or into a file.",
        epilog=DASH,
    )
    words = 'what to say; "-", or none where something is piped in, reads standard input'
    parser.add_argument("text", nargs="*", metavar="TEXT", type=utf8, help=words)
    follow = "speak what standard input or TEXT brings sentence by sentence, while it still comes"
    parser.add_argument("--follow", action="store_true", help=follow)
    markup = parser.add_mutually_exclusive_group()
    for name, words in (
        ("ssml", "TEXT is a document of SSML, one <speak> element"),
        ("symbols", "TEXT is symbols, as `sambertctl text --symbols` prints them, or pinyin"),
    ):
        markup.add_argument(
            f"--{name}", dest="markup", action="store_const", const=name, help=words
        )
    kinds = get_args(wire.MarkKind)
    timed = f"tell when each is said, as lines of JSON: of {', '.join(kinds)}, apart by commas"
    parser.add_argument("--marks", metavar="KINDS", type=List("kind of mark", kinds), help=timed)
    far = "tell on standard error how far it is"
    parser.add_argument("--progress", action="store_true", default=None, help=far)
    _add_manner(parser)
    gives_way = "what it gives way to on the speaker (default message)"
    parser.add_argument("--priority", choices=PRIORITIES, help=gives_way)
    waits = "wait, end what this client said before, or be refused while something is said"
    parser.add_argument("--queue", choices=get_args(wire.Policy), help=waits)
    deadline = "give up where it cannot be heard within so many seconds"
    parser.add_argument(
        "--deadline", dest="deadline_s", metavar="S", type=between(0.001, 86400), help=deadline
    )
    once = "said once, however often it is sent with this key"
    parser.add_argument("--key", type=utf8, help=once)
    kept = "of what was said before: use it, keep nothing new, make it anew, or neither"
    parser.add_argument("--cache", choices=get_args(wire.PhraseUse), help=kept)
    reads = "how a word of this text is read: 一杯='yi1 bei1'; again for more"
    parser.add_argument(
        "--reading",
        dest="lexicon",
        metavar="WORD=PINYIN",
        type=reading,
        action=Readings,
        help=reads,
    )
    rate = f"of a file, {wire.MIN_RATE} to {wire.MAX_RATE} (default: the voice's)"
    parser.add_argument(
        "--rate",
        metavar="HZ",
        type=lambda v: int(between(wire.MIN_RATE, wire.MAX_RATE)(v)),
        help=rate,
    )
    to_file = 'write a WAV file; "-" is stdout'
    parser.add_argument("--out", metavar="FILE.wav", type=file_name, help=to_file)
    raw = "with --out: samples alone, 16 bit, little-endian, mono, without a WAV header"
    parser.add_argument("--raw", action="store_true", help=raw)
    no_speaker = "written where there is no speaker"
    parser.add_argument("--fallback", metavar="FILE.wav", type=file_name, help=no_speaker)
    parser.add_argument(
        "--autostart",
        action="store_true",
        help="if no daemon runs, start one for this",
    )
    parser.set_defaults(run=say)


def _add_manner(parser: argparse.ArgumentParser) -> None:
    """How it shall sound."""
    parser.add_argument("--voice", type=Name("voices"), help="see `sambertctl voices`")
    parser.add_argument("--speaker", type=Name("speakers"), help="one of the voice's speakers")
    parser.add_argument("--emotion", type=Name("emotions"), help="one of the voice's emotions")
    parser.add_argument("--speed", type=between(0.5, 2), help="0.5 to 2 (default 1)")
    parser.add_argument("--pitch", type=between(-12, 12), help="semitones, -12 to 12 (default 0)")
    parser.add_argument("--volume", type=between(0, 2), help="0 to 2 (default 1)")


def _add_prefetch(commands: Any, common: argparse.ArgumentParser) -> None:
    words = "make texts ready to be said at once, while nobody speaks"
    parser = commands.add_parser("prefetch", parents=[common], help=words, description=words)
    lines = 'a text a line, empty lines apart; "-" is standard input'
    parser.add_argument("file", metavar="FILE", type=file_name, help=lines)
    _add_manner(parser)
    parser.set_defaults(run=prefetch)


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


if __name__ == "__main__":
    sys.exit(main())
