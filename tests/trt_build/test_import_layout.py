"""What is found in a folder, and what is taken of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.trt_build.kantts_voices import (
    KANTTS,
    change_config,
    model,
    modelscope,
    tables,
    zipped,
)
from trt_build.export.checkpoint import load_generator, load_sambert
from trt_build.export.config import read_config
from trt_build.export.errors import ExportError
from trt_build.importing import archive, models
from trt_build.importing.layout import ModelFolder, VoiceFolders, find_voice, named_model
from trt_build.importing.rate import sample_rate
from trt_build.importing.request import Request
from trt_build.importing.speakers import Wish, chosen_speakers, speaker_list
from trt_build.importing.tables import doubts, find_tables, fitting_tables


@pytest.fixture
def am(tmp_path: Path) -> ModelFolder:
    return ModelFolder(model("sambert_16k", tmp_path / "am"))


def test_voices_json_names_the_voice(tmp_path: Path) -> None:
    root = modelscope(tmp_path, "zhitian", "leftover")
    (root / "voices" / "voices.json").write_text(json.dumps({"voices": ["zhitian"]}), "utf-8")
    assert find_voice(root, tmp_path / "scratch", None).name == "zhitian"
    assert find_voice(root, tmp_path / "scratch", "leftover").name == "leftover"


def test_models_far_apart_and_other_configs_around(tmp_path: Path) -> None:
    am = model("sambert_16k", tmp_path / "a" / "b" / "sambert_ckpt")
    voc = model("hifigan_v1_16k", tmp_path / "c" / "gan")
    (tmp_path / "config.yaml").write_text("Model: 5\n", "utf-8")
    (tmp_path / "c" / "config.yaml").write_text("steps: 7\n", "utf-8")
    found = find_voice(tmp_path, tmp_path / "scratch", None)
    assert (found.am.folder, found.voc.folder, found.root) == (am, voc, tmp_path)


def test_a_checkpoint_is_named_outright(am: ModelFolder) -> None:
    path = am.folder / "ckpt" / "checkpoint_0.pth"
    assert named_model(path) == ModelFolder(am.folder, path)
    assert named_model(am.folder) == am


def test_the_usual_speaker_comes_first(am: ModelFolder) -> None:
    change_config(am.folder, lambda c: c["linguistic_unit"].update(speaker_list="M7,F7"))
    sambert, listed = load_sambert(am.folder), speaker_list(read_config(am.folder), am)
    speakers = chosen_speakers(sambert, listed, am, (), True)
    assert (speakers.names, speakers.ids) == (("F7", "M7"), (1, 0))
    speakers = chosen_speakers(sambert, listed, am, (Wish("M7"),), True)
    assert (speakers.names, speakers.ids) == (("M7",), (0,))


def test_without_tables_kantts_own_are_taken(am: ModelFolder, tmp_path: Path) -> None:
    assert find_tables(VoiceFolders((am.folder, tmp_path), am, am), tmp_path / "scratch") is None
    found = fitting_tables(None, load_sambert(am.folder).vocabulary)
    assert (len(found.phones), len(found.tones), found.mask) == (140, 7, True)
    assert found.origin == "KAN-TTS's own"


def test_where_the_sample_rate_is_read(tmp_path: Path) -> None:
    root = modelscope(tmp_path, "zhitian")
    found = find_voice(root, tmp_path / "scratch", None)
    hop = load_generator(found.voc.folder).config.hop_length

    def rate(voice: VoiceFolders, given: int | None = None) -> tuple[int, str]:
        found = sample_rate(voice, hop, given)
        return found.hz, found.origin

    assert rate(found)[0] == 16_000
    assert "guessed" in rate(found)[1]
    assert rate(found, 22_050) == (22_050, "--sample-rate")
    (root / "configuration.json").write_text(json.dumps({"model": {"sample_rate": 24000}}), "utf-8")
    assert rate(found) == (24_000, f"configuration.json of {root.name}")
    (found.root / "audio_config.yaml").write_text("audio_config: {sampling_rate: 16000}", "utf-8")
    assert rate(found) == (16_000, "audio_config.yaml of zhitian")
    change_config(found.voc.folder, lambda c: c.update(audio_config={"sampling_rate": 16000}))
    assert rate(found) == (16_000, "config.yaml of voc")


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """A ModelScope download, its tones in an order of their own."""
    root = modelscope(tmp_path / "speech_zhitian", "zhitian")
    folder = tables(tmp_path / "resource" / "PinYin")
    lines = (folder / "tonelist.txt").read_text("utf-8").splitlines()
    (folder / "tonelist.txt").write_text("\n".join(reversed(lines)) + "\n", "utf-8")
    zipped(tmp_path / "resource").rename(root / "resource.zip")
    return root


def tones(found: VoiceFolders, scratch: Path) -> tuple[str, ...]:
    folder = find_tables(found, scratch)
    return fitting_tables(folder, load_sambert(found.am.folder).vocabulary).tones


def pair_in(download: Path, scratch: Path) -> VoiceFolders:
    voice = download / "voices" / "zhitian"
    request = Request(None, scratch / "v", am=voice / "am", voc=voice / "voc")
    return models._folders(request, scratch)


def nested(download: Path) -> Path:
    zipped(download / "voices")
    return zipped(download)


@pytest.mark.parametrize(
    "find",
    [
        lambda d, s: find_voice(d, s, None),
        lambda d, s: find_voice(d.parent, s, None),
        lambda d, s: find_voice(d / "voices", s, None),
        lambda d, s: find_voice(d / "voices" / "zhitian", s, None),
        lambda d, s: find_voice(zipped(d), s, None),
        lambda d, s: find_voice(nested(d), s, None),
        lambda d, s: (zipped(d / "voices"), find_voice(d, s, None))[1],
        pair_in,
    ],
    ids=["it", "above", "voices", "voice", "zip", "zip_in_zip", "voices_zip", "pair"],
)
def test_the_voices_own_tables_are_found_from_anywhere(
    download: Path, tmp_path: Path, find: Callable[[Path, Path], VoiceFolders]
) -> None:
    scratch = tmp_path / "scratch"
    own = fitting_tables(None, load_sambert(KANTTS / "sambert_16k").vocabulary).tones
    assert tones(find(download, scratch), scratch) == tuple(reversed(own)) != own


def test_tables_that_are_a_guess_are_told(download: Path, tmp_path: Path) -> None:
    found = find_voice(download, tmp_path / "scratch", None)
    folder, vocabulary = find_tables(found, tmp_path), load_sambert(found.am.folder).vocabulary
    (told,) = doubts(fitting_tables(folder, vocabulary), folder)
    assert "fit alike and differ" in told
    (told,) = doubts(fitting_tables(None, vocabulary), None)
    assert "KAN-TTS's own were taken" in told
    same = tables(tmp_path / "same" / "PinYin")
    assert not doubts(fitting_tables(same, vocabulary), same)


def test_a_checkpoint_named_from_within_its_folder(
    am: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(am.folder / "ckpt")
    assert named_model(Path("checkpoint_0.pth")).folder == am.folder


def test_archives_of_a_voice_have_one_budget(
    download: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = nested(download)
    monkeypatch.setattr(archive, "MAX_BYTES", 2 * path.stat().st_size)
    with pytest.raises(ExportError, match="archives together") as caught:
        find_voice(path, tmp_path / "scratch", None)
    assert caught.value.code == "archive_unsafe"
