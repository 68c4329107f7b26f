"""How a command of `sambertctl` ends: its exit codes, and what programs are told of an error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from . import protocol as wire
from .errors import (
    BAD_ENDPOINT,
    KeyFileError,
    NoDaemonError,
    RefusedError,
    SambertdError,
    SpeechError,
)
from .terminal import fail

REFUSED, WRONG, NO_DAEMON, MUTE, CUT_SHORT, INTERRUPTED, UNREAD = 1, 2, 3, 4, 5, 130, 141
EXIT_CODES = """exit codes:
  0  done
  1  the daemon refused or failed, or a file could not be read or written; of `status`: it has
     stalled; of `reload` and `prefetch`: not all of it; of `doctor`: something is wrong
  2  the command line or the settings are wrong, or a text: empty, too long, not to be read
  3  no daemon answers (or --autostart could not start one), or it ended meanwhile
  4  the daemon has no usable speaker
  5  the utterance was cancelled, or gave way to another
  129  ended by SIGHUP, as 130 and 143 are: what it had begun is cancelled
  130  ended by SIGINT (Ctrl-C)
  141  its output was closed by who read it
  143  ended by SIGTERM
With --json an error is one object {"error": {"code", "text"}}, where the facts would be; of an
utterance that had begun it has "id", "audio_s" and "heard_samples" too."""
USAGE, NOT_UTF8 = "usage", "not_utf8"  # codes of this program's own
BAD_REPLY, KEY_FILE, FILE = "bad_reply", "key_file", "file"
# Codes of the daemon that are no matter of the daemon: of the text, and of its settings.
OF_WHAT_WAS_ASKED = frozenset(
    {
        wire.TEXT_EMPTY,
        wire.TEXT_TOO_LONG,
        wire.TEXT_UNREADABLE,
        wire.BAD_CONFIG,
        "bad_ssml",
        "ssml_refused",
        "bad_symbols",
        "bad_lexicon",
    }
)
CURES = {
    wire.SPEAKER_UNAVAILABLE: "; or use --out FILE.wav",
    wire.TEXT_TOO_LONG: "; or `sambertctl say --follow`, which takes plain text of any length",
}


class WrongError(SambertdError):
    """What was asked for cannot be asked of a daemon: exit code 2."""

    def __init__(self, text: str, code: str = USAGE) -> None:
        super().__init__(text)
        self.code = code


def failed(error: SambertdError | OSError, *, as_json: bool, audio_out: bool = False) -> int:
    """Tell an error; its exit code. audio_out: standard output is the audio's."""
    exit_code, code = _codes(error)
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{os.fsdecode(error.filename)}: {error.strerror}"
    if as_json:
        tell(code, text, audio_out=audio_out, **_more(error))
        return exit_code
    if isinstance(error, (RefusedError, SpeechError)):
        text += f" ({code}){CURES.get(code, '')}"
    fail(text)
    return exit_code


def _more(error: Exception) -> dict[str, object]:
    """What is told of an error beside its code and text."""
    if isinstance(error, RefusedError) and error.retry_s is not None:
        return {"retry_s": error.retry_s}
    if isinstance(error, SpeechError):
        done = error.done
        heard = done.heard_samples
        return {"id": done.id, "audio_s": round(done.audio_s, 3), "heard_samples": heard}
    return {}


def tell(code: str, text: str, *, audio_out: bool = False, **more: object) -> None:
    """An error, for programs."""
    facts = {"code": code, "text": text, **more}
    told = json.dumps({"error": facts}, ensure_ascii=False)
    print(told, file=sys.stderr if audio_out else sys.stdout)


def _codes(error: SambertdError | OSError) -> tuple[int, str]:
    """The exit code and the code for programs."""
    if isinstance(error, NoDaemonError):
        return (WRONG if error.code == BAD_ENDPOINT else NO_DAEMON), error.code
    if isinstance(error, (RefusedError, SpeechError)):
        return _of_daemon(error.code), error.code
    if isinstance(error, WrongError):
        return WRONG, error.code
    if isinstance(error, KeyFileError):
        return REFUSED, KEY_FILE
    return REFUSED, BAD_REPLY if isinstance(error, SambertdError) else FILE


def _of_daemon(code: str) -> int:
    """The exit code of what a daemon said."""
    if code in OF_WHAT_WAS_ASKED:
        return WRONG
    return {wire.SPEAKER_UNAVAILABLE: MUTE, wire.SHUTTING_DOWN: NO_DAEMON}.get(code, REFUSED)


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether a command line that may be wrong asks for JSON."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options
