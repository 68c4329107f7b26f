from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.text.symbols import BREAKS
from training.corpus import Corpus
from training.errors import TrainingError
from training.phrases import WORD_COUNT_ODDS, WORD_COUNTS, Example, PhraseMaker, means, merge, warp

PAUSES = {"#3": (12, 21), "#4": (8, 14)}


def level_of(phrases: PhraseMaker, phone: int) -> str | None:
    """Name of the break with this phone id, or nothing for a phone."""
    first = len(phrases.table.phones)
    return BREAKS[phone - first] if first <= phone < first + len(BREAKS) else None


@pytest.mark.parametrize("words", WORD_COUNTS)
def test_durations_ids_and_frames_agree(phrases: PhraseMaker, words: int) -> None:
    for seed in range(20):
        example = phrases.draw(np.random.default_rng(seed), words)
        assert example.durations.sum() == len(example.mel)
        assert len(example.ids) == len(example.durations) == len(example.pitch)
        assert len(example.energy) == len(example.pitch)
        assert example.ids.shape[1] == 6
        assert (example.ids >= 0).all()
        assert (example.ids < phrases.table.sizes).all()
        assert example.mel.shape[1] == 82
        assert np.isfinite(example.mel).all()
        assert set(np.unique(example.mel[:, -1])) <= {0.0, 1.0}


def test_pauses_are_where_the_breaks_say(phrases: PhraseMaker) -> None:
    seen = set()
    for seed in range(60):
        example = phrases.draw(np.random.default_rng(seed), 5)
        for phone, frames in zip(example.ids[:, 0], example.durations, strict=True):
            level = level_of(phrases, int(phone))
            if level is None:
                assert frames >= 2
            elif level == "#1":
                assert frames == 0
            else:
                low, high = PAUSES[level]
                assert low <= frames <= high
            seen.add(level)
        assert level_of(phrases, int(example.ids[-1, 0])) == "#4"
    assert seen == {None, "#1", "#3", "#4"}


def test_the_same_seed_draws_the_same_phrase(phrases: PhraseMaker) -> None:
    a, b = (phrases.draw(np.random.default_rng(3), 4) for _ in range(2))
    assert (a.ids == b.ids).all()
    assert (a.mel == b.mel).all()
    assert np.isclose(sum(WORD_COUNT_ODDS), 1)


def test_drawing_does_not_spoil_the_takes(phrases: PhraseMaker) -> None:
    before = [t.frames.copy() for t in phrases.takes]
    for seed in range(10):
        phrases.draw(np.random.default_rng(seed), 1 + seed % 4)
    assert all((a == t.frames).all() for a, t in zip(before, phrases.takes, strict=True))


def test_held_out_words_are_never_drawn(phrases: PhraseMaker, corpus: Corpus) -> None:
    held_out = {e.syllables for e in corpus.held_out}
    assert len(phrases.takes) == len(corpus.training)
    assert held_out.isdisjoint(t.syllables for t in phrases.takes)


def slopes(phrases: PhraseMaker, words: int) -> npt.NDArray[np.float64]:
    """Fall of f0 in Hz from the first to the last third of phrases without a pause inside."""

    def thirds(example: Example) -> float:
        hz = example.mel[:, -2] * phrases.stats.f0_std + phrases.stats.f0_mean
        voiced = hz[example.mel[:, -1] > 0.5]
        n = len(voiced) // 3
        return float(voiced[:n].mean() - voiced[-n:].mean())

    return np.array([thirds(phrases.draw(np.random.default_rng(s), words)) for s in range(150)])


def test_pitch_sinks_over_phrases_but_not_over_words(phrases: PhraseMaker) -> None:
    assert slopes(phrases, 6).mean() > 5


def test_merge_joins_words_of_level_zero() -> None:
    script = [(("a1",), 1), (("b1",), 0), (("c1", "d1"), 0), (("e1",), 3), (("f1",), 4)]
    assert merge(script) == [(("a1",), 1), (("b1", "c1", "d1", "e1"), 3), (("f1",), 4)]


counts = st.lists(st.integers(1, 12), min_size=1, max_size=6)


@settings(max_examples=50)
@given(counts, st.data())
def test_warp_keeps_totals_and_order(old: list[int], data: st.DataObject) -> None:
    new = [data.draw(st.integers(1, 12)) for _ in old]
    ramp = np.arange(sum(old), dtype=np.float32)
    frames = np.stack([ramp, np.repeat(np.arange(len(old)), old) % 2], 1).astype(np.float32)
    out = warp(frames, np.array(old), np.array(new))
    assert len(out) == sum(new)
    assert (np.diff(out[:, 0]) >= 0).all()
    starts = np.cumsum([0, *old[:-1]])
    owner = np.repeat(np.arange(len(old)), new)
    assert (out[:, 0] >= starts[owner] - 0.5).all()
    assert (out[:, 0] <= (starts + old)[owner] - 0.5).all()


def test_warp_to_the_same_lengths_changes_nothing() -> None:
    frames = np.random.default_rng(0).random((9, 3)).astype(np.float32)
    frames[:, -1] = frames[:, -1] > 0.5
    lengths = np.array([2, 3, 4])
    np.testing.assert_allclose(warp(frames, lengths, lengths), frames, atol=1e-6)


def test_means_by_owner() -> None:
    owner = np.array([0, 0, 2, 2, 2])
    values = np.array([1, 3, 6, 7, 8], np.float32)
    assert means(owner, values, 4).tolist() == [2, 0, 7, 0]


def test_no_aligned_word_is_told(corpus: Corpus) -> None:
    with pytest.raises(TrainingError) as error:
        PhraseMaker(corpus, {}, corpus.training)
    assert error.value.code == "words_missing"
