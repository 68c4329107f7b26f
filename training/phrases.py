"""Training examples for the acoustic model: recorded words alone, and joined into phrases.

The recordings are words read from a list, slowly and with a full stop after each. A model trained
on them as they are reads sentences as lists. So most examples join two to eight words: silence
between them is cut (or, at a #3 break, replaced by a short pause), speech is sped up to the pace of
sentences, finals more than initials, the word before a pause less than the others, and f0 and
loudness sink a little from the start of a phrase to its end. A final third tone loses its rise
where no pause follows. Isolated words keep their own timing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.text.symbols import SymbolTable
from training.corpus import Corpus, Entry
from training.errors import TrainingError
from training.features import Floats, fill_unvoiced
from training.script import SPEAKER, phrase_symbols

Rng = np.random.Generator
LEAD = 2
WORD_COUNTS = (1, 2, 3, 4, 5, 6, 8)
WORD_COUNT_ODDS = (0.30, 0.14, 0.14, 0.14, 0.12, 0.10, 0.06)
MERGE_ODDS = 0.15
PAUSE_ODDS = 0.2
LOW_THIRD = 0.6


@dataclass(frozen=True, slots=True)
class Example:
    """One training utterance.

    ids (T, 6); durations (T,) in frames; mel (frames, 82): standardised mel, standardised f0
    without gaps, voicing; pitch and energy (T,), standardised means per symbol.
    """

    ids: npt.NDArray[np.int64]
    durations: npt.NDArray[np.int64]
    mel: Floats
    pitch: Floats
    energy: Floats


@dataclass(frozen=True, slots=True)
class Take:
    """One recorded word, cut to start `lead` frames before its first phone.

    The first duration includes the lead, the last is the silence after the word. frames (frames,
    82) hold f0 in Hz without gaps.
    """

    syllables: tuple[str, ...]
    durations: npt.NDArray[np.int64]
    frames: Floats
    lead: int

    def inside(self, *, rise: bool) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
        """The word without its lead: durations and frames of the speech, frames of the silence.

        A third tone rises at its end only before a pause, so without `rise` the last part of a
        final third tone is left out.
        """
        counts = self.durations[:-1].copy()
        counts[0] -= self.lead
        frames = self.frames[self.lead :]
        end = int(counts.sum())
        kept = counts.copy()
        if not rise and self.syllables[-1].endswith("3"):
            kept[-1] = max(2, int(counts[-1] * LOW_THIRD))
        return kept, frames[: int(kept.sum())], frames[end:]


class PhraseMaker:
    """Draws examples from the words of the corpus that have been aligned."""

    def __init__(
        self, corpus: Corpus, durations: dict[int, tuple[int, list[int]]], entries: list[Entry]
    ) -> None:
        self.corpus = corpus
        self.stats = corpus.stats
        self.table = SymbolTable.default(speakers=(SPEAKER,))
        self.takes = [
            self._take(e, *durations[e.start])
            for e in entries
            if e.start in durations and (corpus.f0_of(e) > 0).sum() > 3
        ]
        if not self.takes:
            raise TrainingError(
                "words_missing",
                "no aligned word is left to train on; prepare more recordings, then align again",
            )
        self.mel_mean = np.array(self.stats.mel_mean, np.float32)
        self.mel_std = np.array(self.stats.mel_std, np.float32)

    def _take(self, entry: Entry, lead: int, durations: list[int]) -> Take:
        f0 = self.corpus.f0_of(entry)
        frames = np.concatenate(
            [self.corpus.mel_of(entry), fill_unvoiced(f0)[:, None], (f0 > 0)[:, None]], 1
        ).astype(np.float32)
        kept = min(lead, LEAD)
        counts = np.array(durations)
        counts[0] += kept
        return Take(entry.syllables, counts, frames[lead - kept :], kept)

    def single(self, index: int) -> Example:
        """One word as it was recorded, with at most 0.2 s of silence after it."""
        take = self.takes[index]
        counts = take.durations.copy()
        counts[-1] = min(counts[-1], 16)
        return self._example([(take.syllables, 4)], counts, take.frames[: counts.sum()].copy())

    def draw(self, rng: Rng, words: int) -> Example:
        """A word alone, or `words` words joined."""
        if words == 1:
            return self.single(int(rng.integers(len(self.takes))))
        picks = [self.takes[i] for i in rng.integers(len(self.takes), size=words)]
        levels = [3 if rng.random() < PAUSE_ODDS else 1 for _ in picks[:-1]] + [4]
        pace = rng.uniform(0.48, 0.72)
        counts, frames, script = [], [], []
        for take, level in zip(picks, levels, strict=True):
            c, f = self._join(take, level, pace, rng)
            merged = level == 1 and rng.random() < MERGE_ODDS and len(take.syllables) <= 2
            level = 0 if merged else level
            counts.append(c[:-1] if merged else c)
            frames.append(f)
            script.append((take.syllables, level))
        joined = np.concatenate(frames)
        ends = np.cumsum([len(f) for f in frames])
        self._sink(
            joined, [int(e) for e, level in zip(ends, levels, strict=True) if level > 1], rng
        )
        return self._example(merge(script), np.concatenate(counts), joined)

    def _join(
        self, take: Take, level: int, pace: float, rng: Rng
    ) -> tuple[npt.NDArray[np.int64], Floats]:
        """The word at the pace of a phrase, its silence cut or set to the break's length."""
        spoken, frames, silence = take.inside(rise=level != 1)
        slower = 1.0 if level == 1 else 1.25
        factors = np.where(np.arange(len(spoken)) % 2 == 0, min(1.0, pace + 0.12), pace)
        factors[-2:] *= slower
        wanted = np.maximum(2, np.rint(spoken * np.minimum(factors, 1.0))).astype(np.int64)
        speech = warp(frames, spoken, wanted)
        pause = {1: 0, 3: int(rng.integers(12, 22)), 4: int(rng.integers(8, 15))}[level]
        if len(silence) == 0:
            pause = 0
        rest = silence[np.arange(pause) % max(1, len(silence))]
        return np.append(wanted, pause), np.concatenate([speech, rest])

    def _sink(self, frames: Floats, ends: list[int], rng: Rng) -> None:
        """Let f0 and loudness fall over each stretch up to a pause, in place."""
        top, bottom = rng.uniform(1.01, 1.04), rng.uniform(0.95, 0.99)
        start = 0
        for end in ends:
            line = np.linspace(0.0, 1.0, end - start, dtype=np.float32)
            frames[start:end, -2] *= top + (bottom - top) * line
            decibels = 1.5 - 4.0 * line
            frames[start:end, :-2] += decibels[:, None] / 100.0 / self.mel_std
            start = end

    def _example(
        self,
        script: list[tuple[tuple[str, ...], int]],
        counts: npt.NDArray[np.int64],
        frames: Floats,
    ) -> Example:
        s = self.stats
        level = frames[:, :-2] * self.mel_std + self.mel_mean
        energy = (level.mean(1) - s.energy_mean) / s.energy_std
        frames[:, -2] = (frames[:, -2] - s.f0_mean) / s.f0_std
        owner = np.repeat(np.arange(len(counts)), counts)
        voiced = frames[:, -1] > 0.5
        ids = self.table.encode(phrase_symbols(script))
        return Example(
            ids,
            counts,
            frames,
            means(owner[voiced], frames[voiced, -2], len(counts)),
            means(owner, energy, len(counts)),
        )


def merge(script: list[tuple[tuple[str, ...], int]]) -> list[tuple[tuple[str, ...], int]]:
    """Join words of level 0 with the word after them into one prosodic word."""
    out: list[tuple[tuple[str, ...], int]] = []
    before: tuple[str, ...] = ()
    for syllables, level in script:
        before += syllables
        if level:
            out.append((before, level))
            before = ()
    return out


def warp(frames: Floats, old: npt.NDArray[np.int64], new: npt.NDArray[np.int64]) -> Floats:
    """Frames with each symbol stretched or squeezed from its old to its new length, linearly."""
    starts = np.concatenate([[0], np.cumsum(old)[:-1]])
    at = np.concatenate(
        [s + (np.arange(n) + 0.5) * o / n - 0.5 for s, o, n in zip(starts, old, new, strict=True)]
    )
    at = np.clip(at, 0, len(frames) - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, len(frames) - 1)
    part = (at - low)[:, None].astype(np.float32)
    out: Floats = frames[low] * (1 - part) + frames[high] * part
    out[:, -1] = frames[np.rint(at).astype(np.int64), -1]
    return out


def means(owner: npt.NDArray[np.int64], values: Floats, count: int) -> Floats:
    """Mean of the values of each owner (count,), 0 for an owner without any."""
    sums = np.bincount(owner, values, minlength=count)
    sizes = np.bincount(owner, minlength=count)
    return (sums / np.maximum(sizes, 1)).astype(np.float32)
