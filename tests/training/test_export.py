from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from engines.pack import VoicePack
from engines.text.frontend import FrontEnd
from engines.text.symbols import SymbolTable, syllable_phones
from training.__main__ import main
from training.emotions import EMOTIONS
from training.errors import TrainingError
from training.export import CALIBRATION
from training.stages import Recipe, run
from trt_build.export.checkpoint import load_generator, load_sambert


@pytest.fixture(scope="module")
def exported(trained: Recipe) -> Recipe:
    arguments = ["--out", str(trained.out), "--preset", "tiny", "--name", "tinny"]
    assert main([*arguments, "--stage", "export", "--licence", "CC0-1.0"]) == 0
    return dataclasses.replace(trained, name="tinny")


def test_pack_says_what_it_is(exported: Recipe) -> None:
    file = VoicePack(exported.out / "tinny").file
    assert file.name == "tinny"
    assert file.licence == "CC0-1.0"
    assert file.sample_rate == 16_000
    assert file.hop_length == 200
    assert file.acoustic.mels == 82
    assert set(file.presets) == set(EMOTIONS)
    assert file.symbols.fallback["aa"] in file.symbols.phones or "aa" not in file.symbols.fallback
    assert file.statistics["acoustic_steps"] == file.statistics["vocoder_steps"] == 8
    stats = exported.corpus().stats
    assert file.source is not None
    assert file.source.coupled
    assert file.source.f0_mean == pytest.approx(stats.f0_mean)


def test_pack_carries_the_calibration_sentences(exported: Recipe) -> None:
    carried = (exported.out / "tinny" / "calibration.txt").read_text("utf-8")
    assert carried == CALIBRATION.read_text("utf-8")


def test_export_leaves_kantts_folders_too(exported: Recipe) -> None:
    folder = exported.out / "kantts"
    assert load_sambert(folder / "am").num_mels == 82
    assert load_generator(folder / "voc").config == exported.sizes.vocoder.generator


def test_export_before_training_is_told(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "corpus").symlink_to(recipe.out / "corpus")
    with pytest.raises(TrainingError, match="--stage acoustic") as error:
        run(dataclasses.replace(recipe, out=tmp_path), "export")
    assert error.value.code == "stage_missing"


def test_calibration_sentences_cover_the_sounds_of_mandarin() -> None:
    lines = CALIBRATION.read_text("utf-8").splitlines()
    assert len(lines) == len(set(lines)) == 200
    assert min(map(len, lines)) <= 5 < 35 < max(map(len, lines)) <= 45
    front_end, heard = FrontEnd(), set()
    for line in lines:
        for sentence in front_end.read(line):
            assert not sentence.notes, line
            for word in sentence.words:
                for syllable in word.syllables:
                    phones, tone = syllable_phones(syllable.pinyin)
                    heard |= {*phones, tone}
    plain = {p for p in SymbolTable.default().phones if p.endswith("_c") and not p.endswith("r_c")}
    spoken_never = {"io_c", "ueng_c"}
    assert heard >= {*plain - spoken_never, "er_c", "r_c", *(f"tone{n}" for n in range(6))}
