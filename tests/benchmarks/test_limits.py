"""The page of limits tells what a daemon does."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.limits import MARKS, PAGE, cache_rows, queue_rows, table


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: pytest's own may exceed the 107 bytes of a socket's."""
    path = Path(tempfile.mkdtemp(prefix="sd-"))
    yield path
    shutil.rmtree(path)


def test_the_page_has_the_table_and_its_rows_hold(folder: Path) -> None:
    """The counts, which no machine changes; of figures that it does, that there are some."""
    page = PAGE.read_text("utf-8")
    assert MARKS.search(page)
    for row in queue_rows(folder):
        assert f"| {row.what} | {row.seen} | {row.change} |" in page
    for row in cache_rows(folder):
        assert f"| {row.what} | " in page
    assert table([]).count("\n") == 1
