from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import soundfile
import torch

from engines.pack import VoicePack
from engines.text.frontend import FrontEnd
from engines.text.symbols import SymbolTable, syllable_phones
from training.__main__ import main
from training.card import LICENCE, Facts, card, licence_text
from training.emotions import EMOTIONS
from training.errors import TrainingError
from training.export import load_models
from training.source import ALPHA, SIGMA, VOICING_THRESHOLD
from training.stages import Recipe, run
from trt_build.calibration import CALIBRATION
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
    assert file.symbols.fallback["tone0"] == "tone5"
    assert set(file.symbols.fallback.values()) <= {*file.symbols.phones, *file.symbols.tones}
    assert file.statistics["acoustic_steps"] == file.statistics["vocoder_steps"] == 8
    stats = exported.corpus().stats
    assert file.source is not None
    assert file.source.coupled
    assert file.source.f0_mean == pytest.approx(stats.f0_mean)
    assert (file.source.alpha, file.source.sigma) == (ALPHA, SIGMA)
    assert file.source.voicing_threshold == VOICING_THRESHOLD


def test_pack_carries_its_card_its_licence_and_a_sample(exported: Recipe) -> None:
    pack = exported.out / "tinny"
    told = (pack / "README.md").read_text("utf-8")
    assert told.startswith("# tinny\n")
    assert "$" not in told
    assert f"{len(exported.corpus().training)} words" in told
    assert "8 of 8" in told
    assert "python -m benchmarks.quality" in told
    assert all(f"| {name} |" in told for name in EMOTIONS)
    assert "CC0-1.0" in (pack / "LICENSE").read_text("utf-8")
    assert "Yue Tan" not in told + (pack / "LICENSE").read_text("utf-8")
    wave, rate = soundfile.read(pack / "sample.wav")
    assert rate == 16_000
    assert len(wave) > 0
    assert (pack / "sample.png").read_bytes().startswith(b"\x89PNG")


def test_the_built_in_recordings_are_credited_under_their_licence() -> None:
    told = licence_text(Facts("yue", LICENCE, "small", 1, 1))
    assert 'The voice "yue"' in told
    assert "Yue Tan" in told
    assert "$" not in told


def test_the_card_shows_what_was_measured(exported: Recipe, tmp_path: Path) -> None:
    figures = dict.fromkeys(
        ("mcd_db", "mcd_db_p90", "f0_correlation", "f0_rmse_cents", "voicing_error"), 0.5
    )
    speech, copy = {**figures, "length_ratio": 1.25}, {**figures, "length_ratio": 1.0}
    report = {"words": 80, "definition": "so", "text_to_speech": speech, "copy_synthesis": copy}
    (tmp_path / "quality.json").write_text(json.dumps(report))
    sambert, _, generator, _ = load_models(exported.out, exported.sizes)
    facts = Facts("v", LICENCE, "small", 5, 6)
    told = card(facts, exported.corpus(), sambert, generator, tmp_path / "quality.json")
    assert "On 80 words" in told
    assert "| length / recording | 1.25 | 1.00 |" in told
    assert "1.1 times" in told
    assert "| neutral | 1.1 |" in told


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


def test_the_card_admits_a_source_that_is_not_used(exported: Recipe) -> None:
    sambert, _, generator, _ = load_models(exported.out, exported.sizes)
    weight = generator.source_module.ffn[0].weight
    assert isinstance(weight, torch.Tensor)
    told = []
    for size in (0.5, 1e-4):
        torch.nn.init.constant_(weight, size)
        facts = Facts("v", LICENCE, "tiny", 8, 8)
        told.append(card(facts, exported.corpus(), sambert, generator, exported.out / "none"))
    assert ["no use of its source" in text for text in told] == [False, True]
