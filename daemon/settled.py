"""Settings that change while the daemon runs: which count at once, and which after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, NamedTuple

from daemon.config import Config

# What was made at the start and lives as long as the process: the socket, the sessions' threads,
# memory of the GPU, files that are held open.
PINNED = (
    "endpoint",
    "voices",
    "engines.vocoder_threads",
    "engines.acoustic_threads",
    "engines.batching",
    "engines.gpu_memory_mb",
    "engines.store",
    "cache",
    "access.listen",
    "access.keys",
    "access.insecure_loopback",
    "metrics",
)


class Change(NamedTuple):
    """config: what counts from now on. changed: keys of it. restart: keys that must wait."""

    config: Config
    changed: list[str]
    restart: list[str]


def change(now: Config, wanted: Config, streams: int) -> Change:
    """From the settings that count now to those that are wanted, as far as it goes at once.

    streams: how many utterances the loaded voices can have in work.
    """
    changed: list[str] = []
    restart: list[str] = []
    for key in differing(now, wanted):
        pinned = any(key == name or key.startswith(f"{name}.") for name in PINNED)
        more = key == "limits.in_work" and wanted.limits.in_work > streams
        (restart if pinned or more else changed).append(key)
    config = wanted
    for key in restart:
        config = _with(config, key.split("."), now)
    return Change(config, changed, restart)


def differing(one: Any, other: Any, prefix: str = "") -> Iterator[str]:
    """Keys whose values differ, as they are written in messages: limits.in_work."""
    for item in fields(one):
        here, there = getattr(one, item.name), getattr(other, item.name)
        if is_dataclass(here):
            yield from differing(here, there, f"{prefix}{item.name}.")
        elif here != there:
            yield prefix + item.name


def _with(settings: Any, path: list[str], source: Any) -> Any:
    """The settings with one value taken from others."""
    name, *rest = path
    value = getattr(source, name)
    if rest:
        value = _with(getattr(settings, name), rest, value)
    return replace(settings, **{name: value})
