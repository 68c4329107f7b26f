"""The page of licences lists what is installed, and nothing that a product could not ship."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from release.licences import (
    ELSEWHERE,
    HEAD,
    REFUSED,
    licence,
    licence_in,
    packages,
    pythons,
    row,
)
from release.pins import LOCK, PYTHONS

PAGE = Path(__file__).parent.parent.parent / "docs/LICENSES.md"


def test_the_page_is_what_the_program_writes() -> None:
    """But for the words of packages whose version differs between Pythons."""
    text = PAGE.read_text("utf-8")
    assert text.startswith(HEAD + "\n"), "run: python -m release.licences > docs/LICENSES.md"
    wanted = pythons()
    rows = text[len(HEAD) :].strip().splitlines()
    assert [line.split()[1] for line in rows] == list(wanted)
    lock = LOCK.read_text("utf-8")
    for line, (name, where) in zip(rows, wanted.items(), strict=True):
        if lock.count(f"\n{name}==") == 1:
            assert line == row(name, licence(name), where)


def test_packages_of_one_python_are_listed_on_all() -> None:
    wanted = pythons()
    assert wanted["tomli"] == ["3.10"]
    assert wanted["numpy"] == list(PYTHONS)
    assert set(packages()) <= set(wanted)


def test_what_is_known_of_packages_elsewhere_is_what_they_say() -> None:
    """Looked at where they are installed, as on Python 3.10."""
    for name, said in ELSEWHERE.items():
        try:
            facts = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue
        assert licence_in(facts) == said


def test_no_run_time_package_is_refused() -> None:
    said = {name: licence(name) for name in pythons()}
    assert {name: words for name, words in said.items() if not words or REFUSED.search(words)} == {}


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0", True),
        ("GNU General Public License v2 (GPLv2)", True),
        ("LGPL-2.1-or-later", False),
        ("MIT", False),
    ],
)
def test_what_is_refused(words: str, refused: bool) -> None:
    assert bool(REFUSED.search(words)) is refused
