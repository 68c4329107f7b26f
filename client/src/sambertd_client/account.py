"""What is known of an utterance, to both clients."""

from __future__ import annotations

from collections.abc import Callable

from . import protocol as wire
from .speech import Speech


class Account:
    """As the daemon last accepted it: where it was said again, all but `voice` may be new."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech

    @property
    def id(self) -> str:
        """Names it in `cancel`, in events and in the daemon's log."""
        return self._speech.id

    @property
    def voice(self) -> str:
        """Its voice's name."""
        return self._speech.accepted.voice

    @property
    def rate(self) -> int:
        """Hz."""
        return self._speech.accepted.rate

    @property
    def format(self) -> str:
        """Of its PCM."""
        return self._speech.accepted.format

    @property
    def position(self) -> int:
        """Requests that went before it when it was accepted."""
        return self._speech.accepted.position

    @property
    def start_s(self) -> float | None:
        """Until its first audio, as the daemon expected; None: it could not tell."""
        return self._speech.accepted.start_s

    @property
    def instance(self) -> str:
        """Of the daemon that speaks it."""
        return self._speech.accepted.instance

    @property
    def done(self) -> wire.Done | None:
        """The daemon's account of it, once it has ended."""
        return self._speech.done

    @property
    def marks(self) -> list[wire.Mark]:
        """Those that `say` asked for, ahead of their audio. They are kept: a pause needs them.

        Where it is said anew they go, before `on_reply` hears of the new ones.
        """
        return self._speech.marks

    @property
    def on_reply(self) -> Callable[[wire.Reply], None] | None:
        """Called with every reply but audio as it comes: `marks`, `playing`, `held`, `done` ...

        So a robot moves its lips to what the speaker plays (examples/robot.py). `held` comes also
        from here, with why="said_again" and at=0: what was told before holds no more.
        """
        return self._speech.on_reply

    @on_reply.setter
    def on_reply(self, call: Callable[[wire.Reply], None] | None) -> None:
        self._speech.on_reply = call

    @property
    def ttfa_ms(self) -> float | None:
        """From sending `say` to its first audio, as seen from here."""
        return self._speech.ttfa_ms
