"""What both trainings share: seeds, checkpoints, progress with ETA, loss curves."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from torch import nn
from tqdm import tqdm

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SAVE_EVERY_S = 120.0
LOG_EVERY = 20


def finished_steps(folder: Path) -> int:
    """Steps the newest checkpoint of a stage's folder has behind it; 0 where there is none."""
    path = folder / "checkpoint.pth"
    if not path.is_file():
        return 0
    step: int = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["step"]
    return step


def seed_all(seed: int) -> None:
    """Seed torch; numpy generators are made from (seed, step) where they are used."""
    torch.manual_seed(seed)


def cosine(step: int, total: int, peak: float, floor: float = 0.05, warmup: int = 200) -> float:
    """Learning rate: linear warm-up, then a half cosine from peak to floor * peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, total - warmup))
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


class Run:
    """One stage's folder: its newest checkpoint, its loss history and the curve picture.

    `parts` are modules and optimizers to save and restore by name. A run started in a folder that
    holds a checkpoint goes on from it.
    """

    def __init__(self, folder: Path, parts: dict[str, nn.Module | torch.optim.Optimizer]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.parts = parts
        self.step = 0
        self.history: list[dict[str, float]] = []
        self._recent: dict[str, list[float]] = {}
        self._saved_at = time.monotonic()
        if self.checkpoint.is_file():
            self._restore()

    @property
    def checkpoint(self) -> Path:
        """The newest state."""
        return self.folder / "checkpoint.pth"

    def _restore(self) -> None:
        state: dict[str, Any] = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        self.step = state["step"]
        for name, part in self.parts.items():
            if name in state:
                part.load_state_dict(state[name])
        if "rng" in state:
            torch.set_rng_state(state["rng"])
            self._recent = state["recent"]
        history = self.folder / "history.json"
        if history.is_file():
            self.history = [h for h in json.loads(history.read_text()) if h["step"] <= self.step]

    def save(self) -> None:
        """Write checkpoint, history and curves; a crash leaves the old ones whole."""
        state: dict[str, Any] = {name: part.state_dict() for name, part in self.parts.items()}
        part = self.checkpoint.with_suffix(".part")
        state |= {"step": self.step, "rng": torch.get_rng_state(), "recent": self._recent}
        torch.save(state, part)
        history = self.folder / "history.part"
        history.write_text(json.dumps(self.history))
        os.replace(history, self.folder / "history.json")
        os.replace(part, self.checkpoint)
        draw_curves(self.history, self.folder / "curves.png")
        self._saved_at = time.monotonic()

    def steps(self, total: int, name: str) -> Iterator[int]:
        """Step numbers from where the run stands to `total`; saves on the way and at the end."""
        bar = tqdm(
            range(self.step, total),
            desc=name,
            unit="step",
            initial=self.step,
            total=total,
            mininterval=10,
        )
        for step in bar:
            yield step
            self.step = step + 1
            if self.step % LOG_EVERY == 0 or self.step == total:
                means = {k: float(np.mean(v)) for k, v in self._recent.items()}
                self._recent.clear()
                self.history.append({"step": float(self.step), **means})
                bar.set_postfix({k: f"{v:.3f}" for k, v in means.items()}, refresh=False)
            if time.monotonic() - self._saved_at > SAVE_EVERY_S:
                self.save()
        self.save()

    def log(self, **losses: float) -> None:
        """Note this step's losses."""
        for name, value in losses.items():
            self._recent.setdefault(name, []).append(value)


def draw_curves(history: list[dict[str, float]], path: Path) -> None:
    """Loss curves over steps, one panel per loss."""
    names = sorted({k for h in history for k in h} - {"step"})
    if not names:
        return
    figure, axes = plt.subplots(len(names), 1, figsize=(8, 2.2 * len(names)), squeeze=False)
    for axis, name in zip(axes[:, 0], names, strict=True):
        points = [(h["step"], h[name]) for h in history if name in h]
        axis.plot(*zip(*points, strict=True), linewidth=0.8)
        axis.set_ylabel(name)
        axis.grid(alpha=0.3)
    axes[-1, 0].set_xlabel("step")
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)
