"""What is wrong with a setting."""

from __future__ import annotations

from collections.abc import Sequence


class ConfigError(Exception):
    """A setting that cannot be used; the message names its key and what would be accepted."""


def between(key: str, value: float, low: float, high: float) -> None:
    """Raises ConfigError where a number is out of its range, or none at all."""
    if not low <= value <= high:
        raise ConfigError(f"{key}: {value:g} is not within {low:g} and {high:g}")


def one_of(key: str, value: str, choices: Sequence[str]) -> None:
    """Raises ConfigError where a word is none of the choices."""
    if value not in choices:
        raise ConfigError(f"{key}: {value!r}; choose of {', '.join(choices)}")
