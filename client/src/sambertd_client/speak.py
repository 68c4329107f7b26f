"""`sambertctl say`: one text, to the speaker of the daemon, to a file, or to a pipe."""

from __future__ import annotations

import argparse
import codecs
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, TextIO, Union

from . import protocol as wire
from .client import Client
from .endpoint import is_listening
from .errors import RefusedError
from .exits import CUT_SHORT, NOT_UTF8, WrongError
from .launch import connect, launch, wait_ready
from .telling import Teller, report
from .terminal import Progress
from .utterance import Utterance
from .wav import WavWriter

Text = Union[str, Iterator[str]]
STYLE = ("voice", "speaker", "emotion", "speed", "pitch", "volume")
WISHES = (
    *STYLE,
    "markup",
    "marks",
    "progress",
    "priority",
    "queue",
    "key",
    "deadline_s",
    "cache",
    "lexicon",
)


def say(options: argparse.Namespace) -> int:
    """Speak, then report; exit code 5 where it was cut short. Raises SambertdError, OSError."""
    try:
        options.text = _text(options.text)
        return _say(options)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise WrongError(
            f"standard input is not UTF-8 (0x{byte:02x} at byte {error.start}); "
            "convert it, for example with `iconv -f GB18030 -t UTF-8`",
            NOT_UTF8,
        ) from error


def _text(words: list[str]) -> str:
    """The words as one text; "-" where there are none and something is piped in.

    Raises WrongError where nothing is.
    """
    if words:
        return " ".join(words)
    kind = os.fstat(0).st_mode
    if stat.S_ISFIFO(kind) or stat.S_ISREG(kind) or stat.S_ISSOCK(kind):
        return "-"
    raise WrongError("there is no TEXT; write one: sambertctl say 你好")


def _say(options: argparse.Namespace) -> int:
    if options.follow and options.markup:
        raise WrongError(f"--follow is for plain text; leave it or --{options.markup} out")
    if options.follow and options.retry_s:
        raise WrongError("--retry is for a whole text; leave it or --follow out")
    if (options.rate or options.raw) and not (options.out or options.fallback):
        raise WrongError("--rate and --raw are of a file; name one with --out, or leave them out")
    texts = _texts(options)
    text = texts if options.follow else "".join(texts)
    progress = Progress(quiet=options.json)
    with ExitStack() as stack:
        launched = None
        if options.autostart and not is_listening(options.endpoint):
            launched = launch(options.endpoint, progress.tell)
            stack.callback(launched.stop)
        client = stack.enter_context(connect(options.endpoint, progress, options.retry_s))
        wait_ready(client, progress.tell, launched)
        progress.clear()
        utterance, where = _speak(client, text, options, progress)
        lines = options.marks and not options.json  # of JSON alone, on standard output
        out = sys.stderr if lines else _out(options.out)
        report(utterance, where, out, as_json=options.json)
    done = utterance.done
    return CUT_SHORT if done is not None and done.why in ("cancelled", "superseded") else 0


def _texts(options: argparse.Namespace) -> Iterator[str]:
    """TEXT, or what standard input brings, as it comes. Raises UnicodeDecodeError."""
    if options.text != "-":
        yield options.text
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    source = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    while data := source.read(1 << 16):  # without a lock that would hold up the process's end
        yield decoder.decode(data)
    yield decoder.decode(b"", final=True)


def _speak(
    client: Client, text: Text, options: argparse.Namespace, progress: Progress
) -> tuple[Utterance, str]:
    """The ended utterance, and where its audio went."""
    wishes = _wishes(options)
    if options.out:
        return _to_file(client, text, options.out, options, progress)
    try:
        utterance = _begin(client, text, options.retry_s, {"sink": "speaker", **wishes})
    except RefusedError as refusal:
        if refusal.code != wire.SPEAKER_UNAVAILABLE or not options.fallback:
            raise
        progress.warn(f"no speaker: {refusal}")
        return _to_file(client, text, options.fallback, options, progress)
    utterance.on_reply = Teller(sys.stdout, progress, utterance.rate)
    with utterance:
        for _ in _audio(utterance, text):
            pass
    return utterance, f"played on {client.status().speaker.device or 'the speaker'}"


def _wishes(options: argparse.Namespace) -> dict[str, Any]:
    return {key: getattr(options, key) for key in WISHES if getattr(options, key) is not None}


def _begin(client: Client, text: Text, retry_s: float, wishes: dict[str, Any]) -> Utterance:
    if isinstance(text, str):
        return client.say(text, retry_s=retry_s, **wishes)
    return client.say("", more=True, **wishes)


def _audio(utterance: Utterance, text: Text) -> Iterator[bytes]:
    return iter(utterance) if isinstance(text, str) else utterance.stream(text)


def _to_file(
    client: Client, text: Text, path: str, options: argparse.Namespace, progress: Progress
) -> tuple[Utterance, str]:
    wishes = {**_wishes(options), "rate": options.rate}
    begun = _begin(client, text, options.retry_s, wishes)
    with begun as utterance, WavWriter(path, utterance.rate, raw=options.raw) as wav:
        utterance.on_reply = Teller(_out(path), progress, utterance.rate)
        for pcm in _audio(utterance, text):
            wav.write(pcm)
    if not wav.written:
        return utterance, "wrote nothing"
    shown = os.fsencode(path).decode("utf-8", "replace")
    return utterance, "wrote standard output" if path == "-" else f"wrote {shown}"


def _out(path: str | None) -> TextIO:
    """Where people read: standard output, unless the audio goes there."""
    return sys.stderr if path == "-" else sys.stdout
