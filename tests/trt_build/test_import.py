"""Voices that are imported: each layout, what is kept of it, and what the pack then says."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest
import torch

from engines.errors import VoiceError
from engines.ort_session import OrtSession
from engines.pack import GRAPHS, VoicePack
from engines.session import Array
from engines.text.symbols import SymbolTable
from engines.voice import Style, Voice
from tests.trt_build.kantts_voices import (
    KANTTS,
    modelscope,
    speaker_embedding,
    tables,
    without_mask,
    without_phones,
    zipped,
)
from trt_build.__main__ import main
from trt_build.export.checkpoint import load_sambert

ENGLISH = SymbolTable.default().phones


def spoken(pack: Path, text: str, style: Style | None = None) -> int:
    """Samples of a text; the stream must be whole and finite."""
    with Voice.load(pack) as voice:
        pcm = np.concatenate([c.pcm for c in voice.stream(voice.plan(text, style))])
    assert np.isfinite(pcm).all()
    return len(pcm)


def is_english(phone: str) -> bool:
    return not phone.endswith("_c") and phone not in ("ga", "ge", "go")


@pytest.fixture(scope="module")
def from_modelscope(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A voice of two, without [MASK] and English, its speakers turned round."""
    root = tmp_path_factory.mktemp("modelscope")
    modelscope(root / "model", "zhitian", "other")
    voice = root / "model" / "voices" / "zhitian"
    own = tables(voice / "resource" / "PinYin")
    tables(root / "model" / "resource" / "PinYin")  # not the voice's own: must not be taken
    without_phones(without_mask(voice / "am"), own, is_english)
    (voice / "audio_config.yaml").write_text("audio_config:\n  sampling_rate: 16000\n", "utf-8")
    out = root / "voices" / "zhitian"
    command = ["import", str(root / "model"), "--out", str(out), "--voice", "zhitian"]
    options = ["--speaker", "F74", "--speaker", "F7", "--emotion", "happy", "--licence", "CC0-1.0"]
    assert main([*command, *options]) == 0
    return out, voice, (out / "README.md").read_text("utf-8")


def test_the_tables_are_the_voices_own(from_modelscope: tuple[Path, Path, str]) -> None:
    file = VoicePack(from_modelscope[0]).file
    assert not file.symbols.mask
    assert not any(map(is_english, file.symbols.phones))
    assert len(file.symbols.phones) < len(ENGLISH)
    assert file.symbols.emotions == ("emotion_none", "emotion_neutral", "emotion_happy")
    assert file.name == "zhitian"
    assert file.licence == "CC0-1.0"
    assert (file.sample_rate, file.hop_length, file.acoustic.mels) == (16_000, 200, 80)
    assert file.source is None


def test_english_is_said_with_the_nearest_sounds(from_modelscope: tuple[Path, Path, str]) -> None:
    pack = from_modelscope[0]
    fallback = VoicePack(pack).file.symbols.fallback
    assert fallback["aa"] == "a_c"
    assert set(fallback.values()) <= set(VoicePack(pack).file.symbols.phones)
    assert spoken(pack, "OK，你好。") > 0


def test_speakers_and_emotions_keep_their_embeddings(
    from_modelscope: tuple[Path, Path, str],
) -> None:
    """Ids of the pack and ids of the checkpoint differ, what they stand for does not."""
    pack, voice, _ = from_modelscope
    file = VoicePack(pack).file
    assert file.symbols.speakers == ("F74", "F7")
    encoder = OrtSession(pack / "encoder.onnx", 1)
    sambert = load_sambert(voice / "am")
    width = sambert.params["encoder_projection_units"]
    for pack_ids, ids in (((0, 0), (0, 1)), ((2, 1), (5, 0)), ((1, 0), (1, 1))):
        rows = np.array([[3, 1, 0, 0, *pack_ids]], np.int64)[None]
        ones, zeros = np.ones(1, np.float32), np.zeros(1, np.float32)
        feeds: dict[str, Array] = {
            "ids": rows,
            "pitch_scale": ones,
            "pitch_shift": zeros,
            "energy_shift": zeros,
        }
        emotion, speaker = (torch.tensor([[n]]) for n in ids)
        with torch.no_grad():
            wanted = torch.cat([sambert.spk_tokenizer(speaker), sambert.emo_tokenizer(emotion)], -1)
        got = encoder.run(feeds)["cond"][..., width:]
        assert np.abs(got - wanted.numpy()).max() < 1e-6


def test_the_window_fits_what_the_voice_says(from_modelscope: tuple[Path, Path, str]) -> None:
    pack, _, card = from_modelscope
    acoustic = VoicePack(pack).file.acoustic
    assert acoustic.band == 0
    assert acoustic.window % 4 == 0
    widest = int(card.split("widest band seen | ")[1].split()[0])
    assert 8 <= widest + 1 <= acoustic.window < 2 * widest


def test_the_pack_carries_its_card_and_a_sample(from_modelscope: tuple[Path, Path, str]) -> None:
    pack, voice, card = from_modelscope
    assert card.startswith("# zhitian\n")
    assert "CC0-1.0" in card
    assert "`am/ckpt/checkpoint_0.pth`" in card
    assert "the nearest ones are said instead: aa as a_c" in card
    assert "| symbol tables | resource/PinYin |" in card
    assert str(voice.parent) not in card  # nobody's paths are handed on
    assert len((pack / "calibration.txt").read_text("utf-8").splitlines()) == 200
    with wave.open(str(pack / "sample.wav")) as sample:
        assert sample.getframerate() == 16_000
        assert sample.getnframes() > 1000
    assert (pack / "sample.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def from_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice of speaker embeddings and a vocoder that looks ahead, all of it zipped."""
    root = tmp_path_factory.mktemp("zipped")
    modelscope(
        root / "model",
        "zhizhe",
        am="sambert_se_nsf_global_16k",
        voc="hifigan_noncausal_nsf_v1_16k",
    )
    speaker_embedding(root / "model" / "voices" / "zhizhe" / "am" / "se.npy")
    zipped(root / "model" / "voices")
    tables(root / "model" / "resource" / "PinYin")
    zipped(root / "model" / "resource")
    config = {"model": {"sample_rate": 16000}}
    (root / "model" / "configuration.json").write_text(json.dumps(config), "utf-8")
    assert main(["import", str(root / "model"), "--out", str(root / "voices" / "zhizhe")]) == 0
    return root / "voices" / "zhizhe"


def test_a_zipped_voice_of_embeddings_that_looks_ahead(from_zip: Path) -> None:
    file = VoicePack(from_zip).file
    assert file.symbols.speakers == ("F7",)
    assert file.symbols.mask
    assert file.vocoder.context > 0
    assert file.source is not None
    assert (file.source.f0_mean, file.source.f0_std) == (30.0, 700.0)
    assert (file.source.alpha, file.source.sigma) == (0.1, 0.003)
    assert (file.source.voicing_threshold, file.source.coupled) == (0.6, False)
    assert "resource/PinYin" in (from_zip / "README.md").read_text("utf-8")
    assert spoken(from_zip, "好。", Style(pitch=2.0)) > 0


def test_nothing_is_left_beside_the_pack(from_zip: Path) -> None:
    assert [path.name for path in from_zip.parent.iterdir()] == ["zhizhe"]


def test_the_command_shows_its_work_the_summary_and_what_to_type_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    am, voc = (KANTTS / name for name in ("sambert_24k", "hifigan_v1_24k"))
    out = tmp_path / "voices" / "v"
    models = ["--am", str(am / "ckpt" / "checkpoint_0.pth"), "--voc", str(voc)]
    assert main(["import", "--out", str(out), *models]) == 0
    told = capsys.readouterr()
    assert "exporting six graphs" in told.err
    assert "sambertctl say --voice v " in told.out
    assert f"sambertd --voices {out.parent}" in told.out
    rows = {line.split()[0]: line.split() for line in told.out.splitlines() if line}
    sizes = [path.stat().st_size for path in (out / f"{name}.onnx" for name in GRAPHS)]
    assert [int(rows[name][3].replace(",", "")) for name in GRAPHS] == sizes
    assert all(0 < float(rows[name][4]) < 1e-4 for name in GRAPHS)
    assert "guessed by the hop of 240 samples" in told.out


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["import", "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for option in ("--voice", "--am", "--voc", "--tables", "--speaker", "--emotion", "examples:"):
        assert option in told


def test_hand_edits_survive_another_import(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "voices" / "v"
    command = ["import", "--am", str(KANTTS / "sambert_16k"), "--out", str(out)]
    command += ["--voc", str(KANTTS / "hifigan_v1_16k")]
    assert main(command) == 0
    toml = (out / "voice.toml").read_text("utf-8")
    edited = toml.replace('"，" = 0.1', '"，" = 0.3').replace("[statistics]", MERRY)
    edited = edited.replace('licence = "unknown"', 'licence = "CC-BY-4.0"')
    assert edited != toml
    (out / "voice.toml").write_text(edited, "utf-8")
    (out / "LICENSE").write_text("mine", "utf-8")
    assert main(command) == 0
    kept = "kept as the earlier pack has it: licence, presets, pauses"
    assert kept in capsys.readouterr().out
    file = VoicePack(out).file
    assert file.pauses["，"] == 0.3
    assert file.presets["merry"].speed == 1.2
    assert (file.name, file.language, file.licence) == ("v", "zh-CN", "CC-BY-4.0")
    assert "CC-BY-4.0" in (out / "README.md").read_text("utf-8")
    assert (out / "LICENSE").read_text("utf-8") == "mine"
    assert main([*command, "--licence", "CC0-1.0", "--name", "w"]) == 0
    file = VoicePack(out).file
    assert (file.name, file.licence, file.pauses["，"]) == ("w", "CC0-1.0", 0.3)


MERRY = "[presets.merry]\nspeed = 1.2\n\n[statistics]"


def test_a_voice_that_lacks_one_phone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says all texts that do without; those that do not are refused."""
    root = modelscope(tmp_path / "model", "v")
    voice = root / "voices" / "v"
    own = tables(voice / "resource" / "PinYin")
    without_phones(voice / "am", own, lambda phone: phone == "zh_c")
    out = tmp_path / "voices" / "v"
    assert main(["import", str(root), "--out", str(out)]) == 0
    assert (
        "texts with these phones are refused, as nothing is near: zh_c" in capsys.readouterr().out
    )
    assert spoken(out, "你好。") > 0
    with Voice.load(out) as loaded, pytest.raises(VoiceError, match="zh_c"):
        loaded.plan("中国。")
