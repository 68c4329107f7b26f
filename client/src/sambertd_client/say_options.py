"""What is to be said, and how: the arguments of `say` and `prefetch`."""

from __future__ import annotations

import argparse
from typing import Any, get_args

from . import protocol as wire
from .argument import List, Name, Readings, between, file_name, reading, utf8
from .prefetch import prefetch
from .speak import say

DASH = 'before a text that starts with "-" write "--": sambertctl say -- "-5℃"'


def add_say(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "say",
        parents=[common],
        help="speak a text",
        description="Speak a text on the speaker of the daemon, or into a file.",
        epilog=DASH,
        hint=DASH,
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
    timed = (
        f"tell when each is said, as lines of JSON: of {', '.join(kinds)}, apart by commas; the "
        "report goes to standard error then, without --json"
    )
    parser.add_argument("--marks", metavar="KINDS", type=List("kind of mark", kinds), help=timed)
    far = "tell on standard error how far it is"
    parser.add_argument("--progress", action="store_true", default=None, help=far)
    _add_manner(parser)
    gives_way = "what it gives way to on the speaker (default message)"
    parser.add_argument("--priority", choices=get_args(wire.Priority), help=gives_way)
    waits = "wait, end what this client said before, or be refused while something is said"
    parser.add_argument("--queue", choices=get_args(wire.Policy), help=waits)
    deadline = "give up where it cannot be heard within so many seconds"
    parser.add_argument(
        "--deadline", dest="deadline_s", metavar="S", type=between(0.001, 86400), help=deadline
    )
    away = "where the daemon is away or restarts, wait so long and say it again"
    parser.add_argument(
        "--retry", dest="retry_s", metavar="S", type=between(0, 86400), default=0.0, help=away
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


def add_prefetch(commands: Any, common: argparse.ArgumentParser) -> None:
    words = "make texts ready to be said at once, while nobody speaks"
    parser = commands.add_parser("prefetch", parents=[common], help=words, description=words)
    lines = 'a text a line, empty lines apart; "-" is standard input'
    parser.add_argument("file", metavar="FILE", type=file_name, help=lines)
    _add_manner(parser)
    parser.set_defaults(run=prefetch)


def _add_manner(parser: argparse.ArgumentParser) -> None:
    """How it shall sound."""
    parser.add_argument("--voice", type=Name("voices"), help="see `sambertctl voices`")
    parser.add_argument("--speaker", type=Name("speakers"), help="one of the voice's speakers")
    parser.add_argument("--emotion", type=Name("emotions"), help="one of the voice's emotions")
    parser.add_argument("--speed", type=between(0.5, 2), help="0.5 to 2 (default 1)")
    parser.add_argument("--pitch", type=between(-12, 12), help="semitones, -12 to 12 (default 0)")
    parser.add_argument("--volume", type=between(0, 2), help="0 to 2 (default 1)")
