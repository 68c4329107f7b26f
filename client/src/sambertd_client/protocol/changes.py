"""Changing the daemon while it speaks: voices that come and go."""

from __future__ import annotations

from .message import Message, Name


class Load(Message, tag="load", kw_only=True, frozen=True):
    """Load the voice pack in the folder `name` of the daemon's voices, or load it again.

    Answered by `loaded` once it can speak, or by `error`.
    """

    name: Name


class Unload(Message, tag="unload", kw_only=True, frozen=True):
    """Take the voice `name` out of the memory. Answered by `unloaded` or `error`."""

    name: Name


class Reload(Message, tag="reload", kw_only=True, frozen=True):
    """Read the settings, the folder of voices and the lexicons again. -> `reloaded` or `error`."""


class Reloaded(Message, tag="reloaded", kw_only=True, frozen=True):
    changed: list[str]  # keys of the settings that count now
    restart: list[str]  # keys that will after a restart
    loaded: list[str]  # voices that are new, or were loaded again
    unloaded: list[str]
    problems: list[str]  # what was not taken and stays as it was, and why; for people
    took_s: float = 0.0


class Loaded(Message, tag="loaded", kw_only=True, frozen=True):
    voice: str  # as it calls itself
    replaced: bool = False  # whether it was there before
    took_s: float = 0.0


class Unloaded(Message, tag="unloaded", kw_only=True, frozen=True):
    voice: str
    live: int = 0  # accepted utterances that still end on it
