from __future__ import annotations

from itertools import islice

import pytest

from benchmarks import text_speed


@pytest.fixture(scope="module")
def figures() -> dict[str, float]:
    return text_speed.medians(1)


def test_sentences_are_as_long_as_they_should_be_and_differ() -> None:
    for length in (10, 30, 200):
        made = list(islice(text_speed.sentences(length, numbers=True), 50))
        assert len(set(made)) == 50
        assert all(length - 4 <= len(text) <= length + 1 for text in made)
        assert all(any(c.isdigit() for c in text) for text in made)
    assert not any(c.isdigit() for c in next(text_speed.sentences(60, numbers=False)))


def test_loading_and_memory_are_within_their_limits(figures: dict[str, float]) -> None:
    assert not {"first call, s", "memory, MB"} & set(text_speed.low(figures))
    assert figures["10 plain p50"] < figures["200 plain p50"]
    assert all(figures[name] > 0 for name in text_speed.MOST)


def test_what_is_over_a_limit_is_named(figures: dict[str, float]) -> None:
    assert text_speed.low({**figures, "memory, MB": 151.0})[0] == "memory, MB"
    lines = list(text_speed.table(figures))
    assert lines[4] == f"| memory, MB | {figures['memory, MB']:.0f} |"
    assert lines[-1].startswith("| 200 | ")
