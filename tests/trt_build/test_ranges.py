"""Ranges counted as they stream by are those of all values at once."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trt_build.ranges import BINS, METHODS, Magnitudes, RangeError, Saved, entropy, percentile

Values = npt.NDArray[np.float32]
FLOATS = st.floats(-1e6, 1e6, width=32)
SMALL = st.one_of(FLOATS, st.floats(-(2**-10), 2**-10, width=32), st.just(0.0))
VALUES = arrays(np.float32, st.integers(1, 40), elements=SMALL)
PARTS = st.lists(VALUES, min_size=1, max_size=4)


def counted(*parts: Values) -> Magnitudes:
    seen = Magnitudes()
    for part in parts:
        seen.add(part)
    return seen


def same(a: Magnitudes, b: Magnitudes) -> bool:
    return a.saved() == b.saved()


SMALLEST = Magnitudes().exponent


@given(VALUES)
def test_the_histogram_is_numpys(values: Values) -> None:
    seen = counted(values)
    wanted, edges = np.histogram(np.abs(values.astype(np.float64)), seen.edges)
    assert np.array_equal(seen.counts, wanted)
    assert seen.largest == float(np.abs(values).max())
    assert (seen.low, seen.high) == (min(0.0, values.min()), max(0.0, values.max()))
    if seen.largest > 0:
        assert seen.largest < edges[-1]
        assert edges[-1] / 2 <= seen.largest or seen.exponent == SMALLEST


@given(PARTS)
def test_how_values_are_cut_does_not_matter(parts: list[Values]) -> None:
    assert same(counted(*parts), counted(np.concatenate(parts)))
    assert same(counted(*parts), counted(*parts[::-1]))


@given(PARTS, PARTS, PARTS)
def test_merging_is_counting_on(a: list[Values], b: list[Values], c: list[Values]) -> None:
    left, right = counted(*a), counted(*b)
    left.merge(right)
    left.merge(counted(*c))
    other = counted(*c)
    right.merge(other)
    right.merge(counted(*a))
    assert same(left, right)
    assert same(left, counted(*a, *b, *c))


@given(PARTS)
def test_a_saved_one_goes_on_as_if_nothing_had_happened(parts: list[Values]) -> None:
    seen = Magnitudes()
    for part in parts:
        seen = Magnitudes.restored(seen.saved())
        seen.add(part)
    assert same(seen, counted(*parts))


@given(PARTS)
def test_no_method_keeps_more_than_there_is(parts: list[Values]) -> None:
    seen = counted(*parts)
    for method in METHODS.values():
        assert 0.0 <= method(seen) <= seen.largest
    assert METHODS["minmax"](seen) == seen.largest


@given(VALUES, st.floats(1.0, 100.0))
def test_percentile_is_within_a_bin_of_numpys(values: Values, share: float) -> None:
    seen = counted(values)
    exact = float(np.percentile(np.abs(values), share, method="inverted_cdf"))
    width = float(seen.edges[1])
    assert exact - 1e-6 * exact <= percentile(seen, share) <= exact + width * 1.0001


def test_percentile_drops_a_rare_outlier() -> None:
    values = np.random.default_rng(0).uniform(-1, 1, 100_000).astype(np.float32)
    values[7] = 50.0
    assert percentile(counted(values)) < 1.1
    assert METHODS["minmax"](counted(values)) == 50.0


def test_entropy_keeps_an_even_distribution_whole() -> None:
    even = np.linspace(-4.0, 4.0, 200_001, dtype=np.float32)
    assert entropy(counted(even)) == 4.0


def test_entropy_clips_a_thin_tail_but_not_the_bulk() -> None:
    values = np.random.default_rng(1).standard_normal(400_000).astype(np.float32)
    values[:40] *= 20.0
    kept = entropy(counted(values))
    assert 3.0 < kept < 0.5 * float(np.abs(values).max())


def test_entropy_takes_no_heed_of_zeros() -> None:
    values = np.random.default_rng(2).standard_normal(100_000).astype(np.float32)
    zeros = np.zeros(5_000_000, np.float32)
    assert entropy(counted(values)) == entropy(counted(values, zeros))


def test_where_all_is_zero_nothing_is_kept_and_nothing_breaks() -> None:
    seen = counted(np.zeros(5, np.float32))
    assert [method(seen) for method in METHODS.values()] == [0.0, 0.0, 0.0]
    assert [method(Magnitudes()) for method in METHODS.values()] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_and_leaves_no_trace(bad: float) -> None:
    seen = counted(np.array([1.0, 2.0], np.float32))
    before = seen.saved()
    with pytest.raises(RangeError, match=r"holds -?(nan|inf)"):
        seen.add(np.array([-3e9, 3.0, bad], np.float32))
    assert seen.saved() == before


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_count_as_their_values(dtype: type) -> None:
    values = np.array([[0.5, -1.5], [3.25, 0.0]])
    assert same(counted(values.astype(dtype)), counted(values.astype(np.float32)))


def test_memory_does_not_grow() -> None:
    seen, rng = Magnitudes(), np.random.default_rng(3)
    for scale in (1e-6, 1e6, 1.0, 1e30, 1e-30):
        seen.add((scale * rng.standard_normal(10_000)).astype(np.float32))
        assert seen.counts.shape == (BINS,)
    assert seen.total == 50_000
    seen.add(np.empty((0, 3), np.float32))
    assert seen.total == 50_000


@pytest.mark.parametrize("packed", [b"", b"no zlib", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_a_damaged_one_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"damaged|another size"):
        Magnitudes.restored(Saved(0.0, 1.0, 1, packed))
