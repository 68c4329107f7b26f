"""Some seconds of the soak, and its rules; ten minutes of it: `make soak`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.soak.page import figures, plot, table
from benchmarks.soak.rules import flatness
from benchmarks.soak.run import soak
from benchmarks.soak.watch import Look

SECONDS = 6.0


def looks(rss_mb: list[float]) -> list[Look]:
    return [Look(float(at), held, 20, 10, 1, 0, 2.0) for at, held in enumerate(rss_mb)]


def test_memory_is_judged_after_the_warm_up() -> None:
    assert flatness(looks([100.0] * 20 + [300.0] * 80)) == (300.0, 300.0)
    assert flatness(looks([100.0 + at for at in range(100)])) == (124.0, 164.0)


def test_memory_that_comes_and_goes_is_flat() -> None:
    assert flatness(looks([300.0, 300.0, 500.0, 400.0, 400.0] * 10)) == (300.0, 300.0)


@pytest.mark.slow
def test_eight_clients_garbage_and_a_speaker(tmp_path: Path) -> None:
    outcome = soak(SECONDS, seed=1)
    print(table(outcome))
    assert outcome.broken == []
    assert sum(outcome.account.said.values()) > 10
    assert outcome.garbage > 0
    assert outcome.stats.ends["end"] > 0
    assert figures(outcome)["errors_not_asked_for"] == 0
    plot(outcome, tmp_path / "soak.png")
    assert (tmp_path / "soak.png").stat().st_size > 1000
