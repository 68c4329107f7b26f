"""The self-check of an import sees graphs that are wrong, whatever way they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import random_voice
from engines.acoustic import AcousticModel
from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.session import Array
from engines.style import Controls
from trt_build.export.agreement import CEILING, LIMIT, Agreement
from trt_build.export.errors import ExportError
from trt_build.importing.window import acoustic_model

NEUTRAL = Controls("F7", "emotion_neutral", 1.0, 1.0, 1.0, 0.0, 1.0)
IDS = np.random.default_rng(0).integers(0, [100, 6, 5, 5, 3, 2], (12, 6))


class Wrong:
    """A session whose first output is changed."""

    def __init__(self, inner: OrtSession, change: Callable[[Array], Array]) -> None:
        self._inner, self._change = inner, change

    @property
    def state_size(self) -> int:
        return self._inner.state_size

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        (name, value), *rest = self._inner.run(feeds).items()
        return {name: self._change(value), **dict(rest)}


@pytest.fixture(scope="module")
def models() -> random_voice.Models:
    return random_voice.tiny(nsf=False)


@pytest.fixture(scope="module")
def pack(models: random_voice.Models, tmp_path_factory: pytest.TempPathFactory) -> VoicePack:
    return VoicePack(random_voice.write(models, tmp_path_factory.mktemp("packs") / "v", "v"))


def compared(
    models: random_voice.Models, pack: VoicePack, change: Callable[[Array], Array]
) -> Agreement:
    vocoder = Wrong(OrtSession(Path(pack.graphs["vocoder"]), 1), change)
    acoustic: AcousticModel = acoustic_model(pack)
    agreement = Agreement(models.sambert, models.generator, acoustic, vocoder)
    agreement.compare(IDS, NEUTRAL, pack.file)
    return agreement


def test_graphs_that_agree(models: random_voice.Models, pack: VoicePack) -> None:
    worst = compared(models, pack, lambda wave: wave).check()
    assert set(worst) == set(pack.graphs)
    assert max(worst.values()) < LIMIT == 1e-4


def test_a_model_that_amplifies_rounding_is_compared_in_fp64(tmp_path: Path) -> None:
    """What rounding alone does to this vocoder is allowed, and much more is not."""
    models = amplifying()
    pack = VoicePack(random_voice.write(models, tmp_path / "v", "v"))
    agreement = compared(models, pack, lambda wave: wave)
    assert agreement.check()["vocoder"] > LIMIT
    assert agreement.rounding.keys() == {"vocoder"}
    own = agreement.rounding["vocoder"]
    assert LIMIT / 3 < own < CEILING
    wrong = compared(models, pack, lambda wave: wave + np.float32(6 * own))
    with pytest.raises(ExportError, match="vocoder"):
        wrong.check()


def test_rounding_is_no_excuse_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = amplifying()
    pack = VoicePack(random_voice.write(models, tmp_path / "v", "v"))
    monkeypatch.setattr("trt_build.export.agreement.CEILING", 1e-5)
    with pytest.raises(ExportError, match="vocoder"):
        compared(models, pack, lambda wave: wave).check()


def amplifying() -> random_voice.Models:
    """A pair whose vocoder has its first weights so large that rounding grows beyond the limit."""
    models = random_voice.tiny(nsf=False)
    generator = deepcopy(models.generator)
    with torch.no_grad():
        for upsampling in generator.transpose_upsamples:
            upsampling.conv.deconv.weight *= 12.0
    return replace(models, generator=generator)


def one_nan(wave: Array) -> Array:
    return np.where(np.arange(wave.shape[-1]) == 3, np.float32(np.nan), wave)


@pytest.mark.parametrize(
    "change",
    [
        one_nan,
        lambda wave: np.full_like(wave, np.nan),
        lambda wave: np.full_like(wave, np.inf),
        lambda wave: wave * 1.5,
        lambda wave: wave + np.float32(1.5e-4),
        lambda wave: wave[:, :-1],
    ],
    ids=["one NaN", "NaN", "infinity", "louder", "beyond rounding", "shorter"],
)
def test_a_graph_that_is_wrong(
    models: random_voice.Models, pack: VoicePack, change: Callable[[Array], Array]
) -> None:
    with pytest.raises(ExportError, match="vocoder") as caught:
        compared(models, pack, change).check()
    assert caught.value.code == "graph_differs"
