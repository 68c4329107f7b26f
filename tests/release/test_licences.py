"""The page of licences lists what is installed, and nothing that a product could not ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from release.licences import REFUSED, licence, packages

PAGE = Path(__file__).parent.parent.parent / "docs/LICENSES.md"


def test_the_page_lists_every_package_of_this_python() -> None:
    text = PAGE.read_text("utf-8")
    assert [name for name in packages() if f"| {name} |" not in text] == []


def test_no_run_time_package_is_refused() -> None:
    said = {name: licence(name) for name in packages()}
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
