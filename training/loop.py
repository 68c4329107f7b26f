"""What both trainings share: seeds, checkpoints, progress with ETA, loss curves."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import matplotlib
import numpy as np
import torch
from tqdm import tqdm

from training.errors import TrainingError

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


class Part(Protocol):
    """Anything with a state of its own: a module, an optimizer, a GradScaler."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> object: ...


class Run:
    """One stage's folder: its newest checkpoint, its loss history and the curve picture.

    `parts` are saved and restored by name, with the random states. A run started in a folder that
    holds a checkpoint goes on from it.

    Raises:
        TrainingError: checkpoint_incomplete.
    """

    def __init__(self, folder: Path, parts: Mapping[str, Part]) -> None:
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
        missing = {*self.parts, "step", "rng", "cuda_rng", "recent"} - state.keys()
        if missing:
            raise TrainingError(
                "checkpoint_incomplete",
                f"{self.checkpoint} lacks {', '.join(sorted(missing))}, as another version of the "
                "recipe wrote it; go on with that version, or remove the folder to start anew",
            )
        self.step, self._recent = state["step"], state["recent"]
        for name, part in self.parts.items():
            if state[name]:  # a GradScaler that is off, as on a CPU, saves nothing
                part.load_state_dict(state[name])
        torch.set_rng_state(state["rng"])
        if torch.cuda.is_available():
            for device, rng in enumerate(state["cuda_rng"][: torch.cuda.device_count()]):
                torch.cuda.set_rng_state(rng, device)
        history = self.folder / "history.json"
        if history.is_file():
            self.history = [h for h in json.loads(history.read_text()) if h["step"] <= self.step]

    def save(self) -> None:
        """Write checkpoint, history and curves; a crash leaves the old ones whole."""
        state: dict[str, Any] = {name: part.state_dict() for name, part in self.parts.items()}
        part = self.checkpoint.with_suffix(".part")
        state |= {
            "step": self.step,
            "recent": self._recent,
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
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
