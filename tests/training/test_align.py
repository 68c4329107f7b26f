from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engines.text.symbols import SymbolTable
from training.align import load_durations, search, voiced_tail
from training.corpus import Corpus
from training.errors import TrainingError
from training.script import word_symbols
from training.stages import Recipe


@st.composite
def costs(draw: st.DrawFn) -> npt.NDArray[np.float64]:
    states = draw(st.integers(1, 4))
    frames = draw(st.integers(states, 7))
    values = st.floats(0, 10, allow_nan=False)
    return draw(arrays(np.float64, (frames, states), elements=values))


def cheapest(cost: npt.NDArray[np.float64]) -> float:
    """Every way to place the state changes, tried out."""
    frames, states = cost.shape
    totals = []
    for changes in combinations(range(1, frames), states - 1):
        path = np.searchsorted(changes, np.arange(frames), side="right")
        totals.append(cost[np.arange(frames), path].sum())
    return float(min(totals))


@given(costs())
def test_search_finds_the_cheapest_monotonic_path(cost: npt.NDArray[np.float64]) -> None:
    path = search(cost.astype(np.float32))
    assert path[0] == 0
    assert path[-1] == cost.shape[1] - 1
    assert set(np.diff(path).tolist()) <= {0, 1}
    assert cost[np.arange(len(path)), path].sum() == pytest.approx(cheapest(cost), abs=1e-4)


def test_durations_cover_every_frame_and_every_symbol(recipe: Recipe, corpus: Corpus) -> None:
    durations = load_durations(recipe.out / "align")
    assert set(durations) == {e.start for e in corpus.entries}
    table = SymbolTable.default()
    for entry in corpus.entries:
        lead, frames = durations[entry.start]
        assert lead + sum(frames) == entry.frames
        assert len(frames) == len(table.encode(word_symbols(entry.syllables)))
        assert min(frames[:-1]) >= 3


@pytest.mark.parametrize(
    ("voiced", "frames"), [("0", 0), ("1", 0), ("011", 0), ("1101", 2), ("111", 2)]
)
def test_voice_that_runs_on_belongs_to_the_word(voiced: str, frames: int) -> None:
    silence = np.array([v == "1" for v in voiced], bool)
    assert voiced_tail(silence) == frames


def test_missing_alignment_is_told(recipe: Recipe) -> None:
    with pytest.raises(TrainingError, match="run --stage align first"):
        load_durations(recipe.out / "nowhere")
