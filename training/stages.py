"""The stages of the recipe, each with what it needs, what it leaves, and when it is finished.

    prepare   DATA -> RUN/corpus
    align     RUN/corpus -> RUN/align
    acoustic  RUN/corpus, RUN/align -> RUN/acoustic
    vocoder   RUN/corpus -> RUN/vocoder
    export    all of it -> RUN/kantts (KAN-TTS's folders) and RUN/NAME (the voice pack)
    relabel   reads the words of RUN/corpus again with the front end as it is now

acoustic and vocoder need nothing of each other: two shells can run them side by side.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from training.acoustic import AcousticTrainer
from training.align import DURATIONS, AlignTrainer, load_durations
from training.card import LICENCE
from training.corpus import INDEX, Corpus
from training.errors import TrainingError
from training.export import export
from training.loop import finished_steps
from training.prepare import prepare, relabel
from training.presets import PRESETS, Preset
from training.vocoder import VocoderTrainer

log = logging.getLogger(__name__)
STAGES = ("prepare", "align", "acoustic", "vocoder", "export")
SETTINGS = "recipe.json"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training: where the recordings are, where everything goes, and how large it is."""

    data: Path | None
    out: Path
    preset: str = "small"
    device: str = "auto"
    seed: int = 0
    limit: int | None = None
    name: str = "voice"
    licence: str = LICENCE

    @property
    def sizes(self) -> Preset:
        """The preset itself."""
        return PRESETS[self.preset]

    def corpus(self) -> Corpus:
        """What prepare left."""
        return Corpus(self.out / "corpus")


def run(recipe: Recipe, stage: str) -> None:
    """Run one stage, or go on with it; a finished one is left alone.

    Raises:
        TrainingError: see training.errors.
    """
    remember(recipe)
    if finished(recipe, stage):
        log.info("%s is finished already", stage)
        return
    _RUNS[stage](recipe)


def remember(recipe: Recipe) -> None:
    """Note preset and seed in the run folder, or refuse ones that do not match what is there."""
    path = recipe.out / SETTINGS
    settings = {"preset": recipe.preset, "seed": recipe.seed}
    if path.is_file():
        there = json.loads(path.read_text())
        if there != settings:
            raise TrainingError(
                "preset_mismatch",
                f"{recipe.out} was started with --preset {there['preset']} --seed {there['seed']}; "
                "use the same, or another --out",
            )
        return
    recipe.out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings))


def finished(recipe: Recipe, stage: str) -> bool:
    """Whether a stage has nothing left to do; export and relabel are always done anew."""
    p = recipe.sizes
    if stage == "prepare":
        return (recipe.out / "corpus" / INDEX).is_file()
    if stage == "align":
        return (recipe.out / "align" / DURATIONS).is_file()
    if stage == "acoustic":
        return finished_steps(recipe.out / "acoustic") >= p.acoustic.steps
    if stage == "vocoder":
        total = p.vocoder.spectral_steps + p.vocoder.adversarial_steps
        return finished_steps(recipe.out / "vocoder") >= total
    return False


def pick_device(wanted: str) -> str:
    """cpu or cuda.

    Raises:
        TrainingError: device_missing.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise TrainingError(
            "device_missing", "PyTorch finds no CUDA device here; use --device cpu or auto"
        )
    return wanted


def _prepare(recipe: Recipe) -> None:
    if recipe.data is None or not recipe.data.is_dir():
        raise TrainingError(
            "data_not_found",
            f"there is no folder {recipe.data}; name the folder of the recordings with --data"
            if recipe.data
            else "name the folder of the recordings with --data",
        )
    prepare(recipe.data, recipe.out / "corpus", recipe.limit)


def _align(recipe: Recipe) -> None:
    sizes = recipe.sizes.acoustic
    AlignTrainer(recipe.corpus(), sizes, recipe.out / "align", recipe.seed).train()


def _acoustic(recipe: Recipe) -> None:
    AcousticTrainer(
        recipe.corpus(),
        load_durations(recipe.out / "align"),
        recipe.sizes.acoustic,
        recipe.out / "acoustic",
        pick_device(recipe.device),
        recipe.seed,
    ).train()


def _vocoder(recipe: Recipe) -> None:
    VocoderTrainer(
        recipe.corpus(),
        recipe.sizes.vocoder,
        recipe.out / "vocoder",
        pick_device(recipe.device),
        recipe.seed,
    ).train()


def _export(recipe: Recipe) -> None:
    for stage in ("acoustic", "vocoder"):
        if not finished_steps(recipe.out / stage):
            raise TrainingError("stage_missing", f"nothing is trained; run --stage {stage} first")
        if not finished(recipe, stage):
            log.warning("%s is not finished: exporting what there is", stage)
    export(recipe.corpus(), recipe.preset, recipe.out, recipe.name, recipe.licence)


def _relabel(recipe: Recipe) -> None:
    corpus = recipe.corpus().folder
    if relabel(corpus):
        (recipe.out / "align" / DURATIONS).unlink(missing_ok=True)
        log.info("run --stage align again: the words' durations belong to their old symbols")


_RUNS = {
    "prepare": _prepare,
    "align": _align,
    "acoustic": _acoustic,
    "vocoder": _vocoder,
    "export": _export,
    "relabel": _relabel,
}
