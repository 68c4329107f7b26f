"""Values counted by size: a bound is within its own size, and no thread's values are lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from engines.histogram import Histogram


def test_a_bound_belongs_to_what_is_below_it() -> None:
    seen = Histogram((1, 2.5))
    assert seen.counted() == ((1.0, 2.5), (0, 0, 0), 0.0)
    for value in (0, 1, 1.5, 2.5, 3, 100):
        seen.note(value)
    assert seen.counted() == ((1.0, 2.5), (2, 2, 2), 108.0)
    seen.note(2, 3)
    seen.note(1, 0)
    assert seen.counted() == ((1.0, 2.5), (2, 5, 2), 114.0)


def test_all_threads_count() -> None:
    seen = Histogram(range(1, 9))

    def note(size: int) -> None:
        for _ in range(5000):
            seen.note(size)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(note, range(1, 9)))
    assert seen.counted() == (tuple(range(1, 9)), (*[5000] * 8, 0), 5000.0 * 36)
