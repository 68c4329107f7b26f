"""Stage 2: how many frames each phone of each word lasts.

Monotonic alignment search (Kim et al. 2020, "Glow-TTS", arXiv:2005.11129) between the mel and the
means a small convolutional network predicts from the phones. Every phone has up to three states in
a row, which keeps a phone from vanishing and lets plosives have a closure and a burst. Model and
alignment take turns, from a flat start.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.text.symbols import SymbolTable
from training.corpus import Corpus, Entry
from training.errors import TrainingError
from training.features import N_MELS, Floats
from training.loop import Run, cosine, seed_all, set_rate
from training.presets import AcousticPreset
from training.script import word_symbols

log = logging.getLogger(__name__)
DURATIONS = "durations.json"
STATES = 3
VOICING_WEIGHT = 3.0
FLAT_STEPS = 60
Ints = npt.NDArray[np.int64]


class Aligner(nn.Module):
    """Predicts the mean features of every state: (B, T) phones and tones -> (B, T * 3, 81).

    Symbol 0 of every sequence is the silence before the word, and a break is the silence after it.
    """

    def __init__(self, phones: int, tones: int, width: int = 192) -> None:
        super().__init__()
        self.silence = phones
        self.phone = nn.Embedding(phones + 1, width)
        self.tone = nn.Embedding(tones, width)
        self.convs = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) for _ in range(2))
        self.out = nn.Linear(width, STATES * (N_MELS + 1))

    def forward(self, phones: Tensor, tones: Tensor) -> Tensor:
        x = (self.phone(phones) + self.tone(tones)).transpose(1, 2)
        for conv in self.convs:
            x = x + F.relu(conv(x))
        means: Tensor = self.out(x.transpose(1, 2))
        return means.reshape(len(phones), -1, N_MELS + 1)


def search(cost: Floats) -> Ints:
    """The cheapest path that starts in state 0, ends in the last, and never skips or turns back.

    cost (frames, states), frames >= states. Returns the state of every frame (frames,).
    """
    frames, states = cost.shape
    total = np.full(states, np.inf)
    total[0] = cost[0, 0]
    stepped = np.zeros((frames, states), bool)
    for t in range(1, frames):
        before = np.concatenate([[np.inf], total[:-1]])
        stepped[t] = before < total
        total = np.where(stepped[t], before, total) + cost[t]
    path = np.empty(frames, np.int64)
    state = states - 1
    for t in range(frames - 1, -1, -1):
        path[t] = state
        state -= int(stepped[t, state])
    return path


def states_per_symbol(count: int) -> Ints:
    """States of each of `count` symbols: one for the silences at both ends, else three."""
    out = np.full(count, STATES)
    out[[0, -1]] = 1
    return out


def voiced_tail(voiced: npt.NDArray[np.bool_]) -> int:
    """Frames by which a voice runs on into the silence after the word; one is always left.

    The search ends a fading final early, as its last frames look more like silence than like it.
    """
    unvoiced = np.flatnonzero(~voiced)
    run = int(unvoiced[0]) if len(unvoiced) else len(voiced)
    return min(run, len(voiced) - 1)


class AlignTrainer:
    """Trains the aligner and writes `durations.json`: frames per symbol for every word."""

    def __init__(self, corpus: Corpus, preset: AcousticPreset, folder: Path, seed: int) -> None:
        seed_all(seed)
        self.corpus, self.preset, self.seed = corpus, preset, seed
        self.table = SymbolTable.default()
        sizes = self.table.sizes
        self.model = Aligner(sizes[0], sizes[1])
        self.optimizer = torch.optim.Adam(self.model.parameters(), 1e-3)
        self.run = Run(folder, {"aligner": self.model, "optimizer": self.optimizer})

    def symbols(self, entry: Entry) -> Tensor:
        """(T + 1, 2): the silence, then phone and tone ids of the word and its closing break."""
        ids = self.table.encode(word_symbols(entry.syllables))[:, :2]
        silence = [[self.model.silence, ids[-1, 1]]]
        return torch.from_numpy(np.concatenate([silence, ids]))

    def features(self, entry: Entry) -> Floats:
        """(frames, 81): standardised mel and weighted voicing."""
        voiced = (self.corpus.f0_of(entry) > 0).astype(np.float32)
        return np.concatenate([self.corpus.mel_of(entry), VOICING_WEIGHT * voiced[:, None]], 1)

    def fits(self, entry: Entry) -> bool:
        """Whether the word has a frame for every state."""
        return entry.frames >= int(states_per_symbol(2 * len(entry.syllables) + 2).sum())

    def train(self) -> None:
        """Alternate alignment and gradient steps; then align everything."""
        entries = [e for e in self.corpus.training if self.fits(e)]
        if not entries:
            raise TrainingError(
                "words_missing", "every word is too short for its phones; prepare more recordings"
            )
        total = self.preset.align_steps
        flat = min(FLAT_STEPS, total // 2)
        for step in self.run.steps(total, "align"):
            set_rate(self.optimizer, cosine(step, total, 2e-3))
            rng = np.random.default_rng((self.seed, step))
            batch = [entries[i] for i in rng.integers(len(entries), size=self.preset.align_batch)]
            loss = torch.stack([self._loss(e, flat=step < flat) for e in batch]).mean()
            self.optimizer.zero_grad()
            torch.autograd.backward(loss)
            self.optimizer.step()
            self.run.log(align=loss.item())
        self.write_durations()

    def _means(self, entry: Entry) -> tuple[Tensor, Ints]:
        symbols = self.symbols(entry)
        counts = states_per_symbol(len(symbols))
        means = self.model(symbols[None, :, 0], symbols[None, :, 1])[0]
        used = torch.from_numpy(np.arange(STATES)[None] < counts[:, None]).reshape(-1)
        return means[used], counts

    def _loss(self, entry: Entry, *, flat: bool) -> Tensor:
        means, _ = self._means(entry)
        features = torch.from_numpy(self.features(entry))
        if flat:
            path = np.arange(len(features)) * len(means) // len(features)
        else:
            with torch.no_grad():
                path = search(torch.cdist(features, means).square().numpy())
        return (features - means[torch.from_numpy(path)]).square().mean()

    @torch.no_grad()
    def durations(self, entry: Entry) -> tuple[int, list[int]]:
        """Frames of silence before the word, and frames of each symbol."""
        means, counts = self._means(entry)
        path = search(torch.cdist(torch.from_numpy(self.features(entry)), means).square().numpy())
        owner = np.repeat(np.arange(len(counts)), counts)
        frames = np.bincount(owner[path], minlength=len(counts))
        tail = voiced_tail(self.corpus.f0_of(entry)[-int(frames[-1]) :] > 0)
        frames[-2:] += [tail, -tail]
        return int(frames[0]), [int(f) for f in frames[1:]]

    def write_durations(self) -> None:
        """Write what `load_durations` reads."""
        table = {str(e.start): self.durations(e) for e in self.corpus.entries if self.fits(e)}
        path = self.run.folder / DURATIONS
        part = path.with_suffix(".part")
        part.write_text(json.dumps(table))
        part.replace(path)
        log.info("aligned %d of %d words", len(table), len(self.corpus.entries))


def load_durations(folder: Path) -> dict[int, tuple[int, list[int]]]:
    """Durations by the word's first frame in the corpus: (silence before, frames per symbol)."""
    path = folder / DURATIONS
    if not path.is_file():
        raise TrainingError("stage_missing", f"there is no {path}; run --stage align first")
    table = json.loads(path.read_text())
    return {int(start): (lead, frames) for start, (lead, frames) in table.items()}
