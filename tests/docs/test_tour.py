"""docs/TOUR.md names files, their lengths and what is in them: all of it as the code is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOUR = (ROOT / "docs" / "TOUR.md").read_text("utf-8")
FILES = sorted(set(re.findall(r"`((?:[\w.]+/)+[\w.]+\.(?:py|toml|1))`", TOUR)))
LENGTHS = re.findall(r"`([\w./]+\.py)`[ \n]\((\d+)|`([\w./]+\.py)`,[ \n](\d+)", TOUR)
MEMBERS = sorted(set(re.findall(r"`([A-Z]\w+)\.(\w+)`", TOUR)))
SOURCES = [path.read_text("utf-8") for path in map(ROOT.__truediv__, FILES) if path.suffix == ".py"]


def test_the_files_are_there() -> None:
    assert len(FILES) > 40
    assert [name for name in FILES if not (ROOT / name).is_file()] == []
    for folder in re.findall(r"`((?:\w+/)+)`", TOUR):
        assert (ROOT / folder).is_dir(), folder


def test_the_lengths_are_about_right() -> None:
    assert len(LENGTHS) > 30
    for one, lines, other, more in LENGTHS:
        told = int(lines or more)
        length = len((ROOT / (one or other)).read_text("utf-8").splitlines())
        assert abs(told - length) <= max(50, length // 3), f"{one or other}: {told}, not {length}"


@pytest.mark.parametrize(("owner", "member"), MEMBERS)
def test_what_is_named_is_in_one_of_them(owner: str, member: str) -> None:
    found = [
        text
        for text in SOURCES
        if re.search(rf"^class {owner}\b", text, re.MULTILINE)
        and re.search(rf"^    (?:async )?def {member}\b", text, re.MULTILINE)
    ]
    assert found, f"{owner}.{member}"
