"""What can go wrong for a client, as a tree.

SambertdError
├── NoDaemonError  nothing answers (any more), or this client was closed; has `code`
├── RefusedError   answered with an error, or the request is too large or no UTF-8; has `code`
├── SpeechError    an accepted utterance ended in an error; has `code` and `done`
├── ReplyError     the daemon sent what this client cannot read
└── KeyFileError   a key file cannot be used
"""

from __future__ import annotations

from .protocol import Done, Error

NO_ANSWER = "no_answer"  # nothing came in time
GONE = "gone"  # nobody listens there any more
RESTARTED = "restarted"  # another daemon listens there now
CONNECTION_LOST = "connection_lost"  # the same daemon, but it takes us for another client
NO_PERMISSION = "no_permission"
BAD_ENDPOINT = "bad_endpoint"
CLOSED = "closed"  # this client was closed, by its own program


class SambertdError(Exception):
    """Base of all errors of this package."""


class NoDaemonError(SambertdError):
    """Nothing answers on the endpoint; `code` tells how that came, as above."""

    def __init__(self, text: str, code: str = NO_ANSWER) -> None:
        super().__init__(text)
        self.code = code


class RefusedError(SambertdError):
    """The daemon answered a request with an `error`, or would not take it as it is."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.text)
        self.code = error.code
        self.retry_s = error.retry_s  # when it may be asked again; None: the daemon does not say


class SpeechError(SambertdError):
    """An accepted utterance ended with why="error"."""

    def __init__(self, done: Done) -> None:
        super().__init__(done.text or "the daemon gave no reason")
        self.code = done.code or "internal"
        self.done = done


class ReplyError(SambertdError):
    """The daemon sent frames this client cannot read."""


class KeyFileError(SambertdError):
    """A key file that cannot be used; the message names it and what helps."""
