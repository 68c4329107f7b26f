"""Settings as TOML, in the way the configuration file has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any


def written(settings: Any) -> str:
    """A settings dataclass and those in it, which become tables."""
    return "\n".join(_lines(settings, "")) + "\n"


def _lines(settings: Any, table: str) -> Iterator[str]:
    values = [(item.name, getattr(settings, item.name)) for item in fields(settings)]
    for key, value in values:
        if not is_dataclass(value):
            yield f"{key} = {_value(value)}"
    for key, value in values:
        if is_dataclass(value):
            yield f"\n[{table}{key}]"
            yield from _lines(value, f"{table}{key}.")


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case tuple() | list():
            return f"[{', '.join(map(_value, value))}]"
        case Path():
            return _value(str(value.absolute()))
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
