"""Synthetic recordings: hummed syllables with the pitch of their tone, named after words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import torch

from training.align import load_durations
from training.corpus import Corpus
from training.phrases import PhraseMaker
from training.script import Reader
from training.stages import Recipe, run

RATE = 22_050
WORDS = (
    *("天空", "你好", "苹果", "大学", "工作", "今天", "老师", "学生", "朋友", "世界", "空气"),
    *("图书馆", "展览馆", "大", "水"),
)
CONTOURS = {"1": (280, 280), "2": (200, 290), "3": (190, 160), "4": (310, 180), "5": (210, 200)}


def syllable(tone: str, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """60 ms of noise, then 260 ms of a harmonic sound whose pitch follows the tone."""
    noise = 0.05 * rng.standard_normal(int(0.06 * RATE))
    hz = np.linspace(*CONTOURS[tone], int(0.26 * RATE))
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    voiced = sum(np.sin(k * phase) / k for k in range(1, 12))
    return np.concatenate([noise, 0.2 * voiced * np.hanning(len(hz)) ** 0.3])


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Models this small only wait for each other's threads; one also makes runs repeatable."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of WAV files, and one that only claims to be an MP3."""
    folder = tmp_path_factory.mktemp("recordings")
    rng, reader = np.random.default_rng(7), Reader()
    for word in WORDS:
        silence = 1e-4 * rng.standard_normal(int(0.25 * RATE))
        spoken = [syllable(s[-1], rng) for s in reader.syllables(word)]
        soundfile.write(
            folder / f"cmn-{word}.wav", np.concatenate([silence, *spoken, silence]), RATE
        )
    (folder / "坏.mp3").write_bytes(b"not audio at all")
    (folder / "notes.txt").write_text("not a recording")
    return folder


@pytest.fixture(scope="session")
def recipe(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Prepared and aligned with the tiny preset."""
    recipe = Recipe(recordings, tmp_path_factory.mktemp("run"), "tiny", "cpu")
    run(recipe, "prepare")
    run(recipe, "align")
    return recipe


@pytest.fixture(scope="session")
def trained(recipe: Recipe) -> Recipe:
    """Both models trained as well."""
    run(recipe, "acoustic")
    run(recipe, "vocoder")
    return recipe


@pytest.fixture(scope="session")
def corpus(recipe: Recipe) -> Corpus:
    return recipe.corpus()


@pytest.fixture(scope="session")
def phrases(recipe: Recipe, corpus: Corpus) -> PhraseMaker:
    return PhraseMaker(corpus, load_durations(recipe.out / "align"), corpus.training)
