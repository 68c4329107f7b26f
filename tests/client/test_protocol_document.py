"""docs/PROTOCOL.md is the specification: its example runs, its names are those of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Union, get_args

import msgspec
import pytest
from sambertd_client import protocol as wire

from tests.daemon.live import LiveDaemon

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "PROTOCOL.md").read_text("utf-8")
MESSAGES: list[Any] = [*get_args(Union[wire.Request]), *get_args(Union[wire.Reply])]  # noqa: UP007


def section(tag: str) -> str:
    """From the heading that names a message to the next heading."""
    heading = rf"^### (?:[^\n]*, )?`{tag}`(?: ->|,|$)"
    found = re.search(heading + r".*?(?=^##)", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert found, f"no section on {tag}"
    return found.group()


def test_the_worked_exchange_runs(daemon: LiveDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    exec(compile(example, "PROTOCOL.md", "exec"), {"ENDPOINT": daemon.endpoint})
    assert capsys.readouterr().out.startswith("0.35 s at 16000 Hz, first audio after")


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: str(message.__name__))
def test_every_field_is_specified(message: Any) -> None:
    text = section(message.__struct_config__.tag)
    for field in msgspec.structs.fields(message):
        if field.name not in ("id", "v"):
            assert f"`{field.name}`" in text, f"{field.name} of {message.__name__}"


def test_every_code_is_specified() -> None:
    codes = section_of_codes()
    names = [name for name in vars(wire) if name.isupper() and isinstance(vars(wire)[name], str)]
    for code in {vars(wire)[name] for name in names} - {wire.FORMAT}:
        assert f"`{code}`" in codes, code


def section_of_codes() -> str:
    return DOCUMENT.split("## Codes")[1].split("## Credit")[0]


def test_its_version_and_limits_are_those_of_the_code() -> None:
    assert DOCUMENT.startswith(f"# The wire protocol of sambertd, version {wire.PROTOCOL_MAX}\n")
    assert f"{wire.MAX_FRAME_BYTES:,} bytes" in DOCUMENT
    assert f"0 to {wire.MAX_CREDIT}" in section("say")
