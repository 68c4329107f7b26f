"""What the import refuses: by code, with the cure, and with everything left as it was."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import random_voice
from tests.trt_build.kantts_voices import (
    change_config,
    change_params,
    change_state,
    model,
    modelscope,
    tables,
)
from trt_build.__main__ import main

Refused = Callable[..., str]


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder and what is in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_voice.write(random_voice.tiny(), tmp_path_factory.mktemp("packs") / "v", "v")


@pytest.fixture
def refused(earlier: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs an import over an earlier pack, which must stay as it was, and alone."""

    def run(code: str, *arguments: str | Path) -> str:
        before = contents(earlier.parent)
        assert main(["import", *map(str, arguments), "--out", str(earlier)]) == 1
        assert contents(earlier.parent) == before
        assert [path.name for path in earlier.parent.iterdir()] == ["v"]
        told = capsys.readouterr().err.strip().splitlines()[-1]
        assert told.startswith("import: ")
        assert told.endswith(f"[{code}]")
        return told

    return run


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A pair that could be imported."""
    model("sambert_16k", tmp_path / "work" / "am")
    model("hifigan_v1_16k", tmp_path / "work" / "voc")
    return tmp_path / "work"


def test_no_voice(refused: Refused, tmp_path: Path, work: Path) -> None:
    assert "there is no" in refused("voice_missing", tmp_path / "nowhere")
    assert "no model" in refused("voice_missing", tmp_path / "work" / "am" / "ckpt")
    assert "no vocoder" in refused("voice_missing", work / "am")
    assert "no acoustic model" in refused("voice_missing", work / "voc")
    assert "--voc" in refused("voice_missing", "--am", work / "am")


def test_several_voices(refused: Refused, tmp_path: Path) -> None:
    root = modelscope(tmp_path / "model", "zhitian", "zhiyan")
    assert "zhitian, zhiyan; choose one with --voice" in refused("voice_ambiguous", root)
    told = refused("voice_unknown", root, "--voice", "zhizhe")
    assert "--voice can be: zhitian, zhiyan" in told


def test_several_models_of_one_kind(refused: Refused, work: Path) -> None:
    model("sambert_24k", work / "am_finetuned")
    told = refused("voice_ambiguous", work)
    assert str(work / "am_finetuned") in told
    assert "--am" in told


@pytest.mark.parametrize(
    ("code", "change", "said"),
    [
        ("byte_input", {"lfeat_type_list": "byte_index,emo_category,speaker_category"}, "bytes"),
        ("features_unknown", {"lfeat_type_list": "sy,tone"}, "lfeat_type_list: sy,tone"),
        ("language_unknown", {"language": "Sichuan"}, "speaks Sichuan"),
        ("config_incomplete", {"speaker_list": ""}, "speaker_list"),
        ("tables_mismatch", {"speaker_list": "F7,F74,M7"}, "makes 6 ids, the checkpoint has 5"),
    ],
)
def test_voices_the_front_end_cannot_read(
    refused: Refused, work: Path, code: str, change: dict[str, Any], said: str
) -> None:
    change_config(work / "am", lambda config: config["linguistic_unit"].update(change))
    assert said in refused(code, work)


def test_a_model_that_reads_bytes(refused: Refused, work: Path) -> None:
    change_params(work / "am", using_byte=True)
    refused("byte_input", work)


def test_sybert(refused: Refused, work: Path) -> None:
    change_config(
        work / "am",
        lambda config: config["Model"].update(
            KanTtsTextsyBERT=config["Model"].pop("KanTtsSAMBERT")
        ),
    )
    assert "cannot speak" in refused("sybert", work)


@pytest.mark.parametrize(
    ("code", "change", "said"),
    [
        ("subbands", {"out_channels": 4}, "4 sub-bands"),
        ("layer_unknown", {"nonlinear_activation": "ReLU"}, "nonlinear_activation: ReLU"),
        ("layer_unknown", {"repeat_upsample": False}, "repeat_upsample"),
        ("layer_unknown", {"upsample_kernal_sizes": [9, 10, 4, 4]}, "kernel of 9"),
        ("layer_unknown", {"kernel_size": 6}, "even kernel of 6"),
    ],
)
def test_vocoders_of_other_layers(
    refused: Refused, work: Path, code: str, change: dict[str, Any], said: str
) -> None:
    change_params(work / "voc", **change)
    assert said in refused(code, work)


def test_frames_that_do_not_fit(refused: Refused, tmp_path: Path, work: Path) -> None:
    nsf = model("sambert_nsf_16k", tmp_path / "nsf")
    told = refused("mel_mismatch", "--am", nsf, "--voc", work / "voc")
    assert "82 values per frame" in told
    assert "80 mel bins" in told
    source = model("hifigan_v1_nsf_24k", tmp_path / "source")
    told = refused("mel_mismatch", "--am", work / "am", "--voc", source)
    assert "takes 82: 80 mel bins and f0 and voicing" in told


def test_tables_that_do_not_fit(refused: Refused, work: Path, tmp_path: Path) -> None:
    folder = tables(tmp_path / "tables")
    (folder / "tonelist.txt").write_text("1\n2\n\n", "utf-8")
    told = refused("tables_mismatch", work, "--tables", folder)
    assert "tones: 5 (with [MASK] 6) ids for 10" in told
    assert "--tables DIR" in told
    change_state(
        work / "am",
        lambda s: s.update({"emo_tokenizer.weight": s["emo_tokenizer.weight"][:-1].clone()}),
    )
    assert "emotions: 35 (with [MASK] 36) ids for 35" in refused("tables_mismatch", work)


def test_a_table_that_is_none(refused: Refused, work: Path, tmp_path: Path) -> None:
    folder = tables(tmp_path / "tables")
    for text in ("<phoneSet><phone>", BOMB, *(ENCODED.format(e) for e in ("utf-7", "nope"))):
        (folder / "PhoneSet.xml").write_text(text, "utf-8")
        refused("voice_broken", work, "--tables", folder)


ENCODED = '<?xml version="1.0" encoding="{}"?><phoneSet/>'
BOMB = (
    '<!DOCTYPE a [<!ENTITY a0 "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    + "]><phoneSet><phone><name>&a9;</name></phone></phoneSet>"
)


def test_speakers_and_emotions_that_are_none(refused: Refused, work: Path) -> None:
    assert "--speaker can be: F7, F74" in refused("speaker_unknown", work, "--speaker", "zhiyan")
    assert "once" in refused("speaker_unknown", work, "--speaker", "F7", "--speaker", "F7")
    assert "speaker ids" in refused("speaker_unusable", work, "--speaker", "F7=se.npy")
    assert "neutral" in refused("emotion_unknown", work, "--emotion", "drunk")


def test_speaker_embeddings(refused: Refused, work: Path, tmp_path: Path) -> None:
    se = model("sambert_se_nsf_global_16k", tmp_path / "se")
    pair = ("--am", se, "--voc", model("hifigan_v1_nsf_24k", tmp_path / "voc"))
    assert "--speaker NAME=se.npy" in refused("speaker_unusable", *pair)
    np.save(tmp_path / "short.npy", np.ones((1, 7), np.float32))
    told = refused("speaker_unusable", *pair, "--speaker", f"a={tmp_path / 'short.npy'}")
    assert "(1, 7)" in told
    assert "24 finite numbers" in told
    np.save(tmp_path / "code.npy", np.array([print], object), allow_pickle=True)
    refused("speaker_unusable", *pair, "--speaker", f"a={tmp_path / 'code.npy'}")
    refused("speaker_unusable", *pair, "--speaker", "a=nowhere.npy")
    np.save(tmp_path / "text.npy", np.array(["a"] * 24))
    refused("speaker_unusable", *pair, "--speaker", f"a={tmp_path / 'text.npy'}")


def test_f0_without_its_mean(refused: Refused, tmp_path: Path) -> None:
    am = model("sambert_nsf_16k", tmp_path / "am")
    pair = ("--am", am, "--voc", model("hifigan_v1_nsf_24k", tmp_path / "voc"))
    np.save(am / "mvn.npy", np.array([[200.0], [0.0]]))
    assert "deviation of 0" in refused("f0_missing", *pair)
    (am / "mvn.npy").write_bytes(b"no array")
    assert "mvn.npy" in refused("f0_missing", *pair)
    for values in (["a", "b"], [1j, 2], [True, True], [b"a", b"b"], [1, np.nan], [1e9, 2], [1]):
        np.save(am / "mvn.npy", np.array(values))
        refused("f0_missing", *pair)
    (am / "mvn.npy").unlink()
    assert "copy the mvn.npy" in refused("f0_missing", *pair)
    change_params(am, nsf_norm_type="robust")
    assert "'robust'" in refused("config_unreadable", *pair)


def test_sample_rates_that_contradict_each_other(refused: Refused, work: Path) -> None:
    change_params(work / "voc", upsample_scales=[10, 5, 2, 3], upsample_kernal_sizes=[20, 10, 4, 6])
    change_state(
        work / "voc",
        lambda state: state.update(
            {
                name: torch.ones(*value.shape[:-1], 6)
                for name, value in state.items()
                if name == "transpose_upsamples.3.1.deconv.weight_v"
            }
        ),
    )
    assert "--sample-rate HZ" in refused("rate_unknown", work)
    assert "no rate" in refused("rate_mismatch", work, "--sample-rate", "-5")
    change_config(work / "voc", lambda config: config.update(audio_config={"sampling_rate": 16000}))
    assert "says 16000" in refused("rate_mismatch", work, "--sample-rate", "24000")
    audio = {"sampling_rate": 24000, "hop_length": 200}
    change_config(work / "am", lambda config: config.update(audio_config=audio))
    assert "config.yaml of am says 24000" in refused("rate_mismatch", work)
    audio["sampling_rate"] = 16000
    change_config(work / "am", lambda config: config.update(audio_config=audio))
    assert "frames of 200 samples" in refused("rate_mismatch", work)


def test_weights_that_are_wrong(refused: Refused, work: Path) -> None:
    change_state(work / "am", lambda state: state.update(extra=torch.ones(1)))
    assert "unknown extra" in refused("checkpoint_mismatch", work)
    change_state(
        work / "am", lambda s: (s.pop("extra"), s["emo_tokenizer.weight"].fill_(torch.nan))
    )
    assert "NaN" in refused("weights_not_finite", work)
    path = work / "am" / "ckpt" / "checkpoint_0.pth"
    path.write_bytes(path.read_bytes()[:20_000])
    refused("checkpoint_unreadable", work)


def test_a_folder_that_is_no_pack_is_left_alone(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter1.tex").write_text("years of work", "utf-8")
    for taken in (out, out / "chapter1.tex"):
        assert main(["import", str(work), "--out", str(taken)]) == 1
        assert "[out_taken]" in capsys.readouterr().err
    assert contents(tmp_path / "thesis") == {
        "chapter1.tex": hashlib.sha256(b"years of work").hexdigest()
    }


def test_nothing_is_made_where_nothing_was(work: Path, tmp_path: Path) -> None:
    (work / "voc" / "config.yaml").write_text("- none\n", "utf-8")
    for out in (tmp_path / "voices" / "v", tmp_path / "empty"):
        if out.name == "empty":
            out.mkdir()
        assert main(["import", str(work), "--out", str(out)]) == 1
        assert not out.exists() or not any(out.iterdir())
        assert not list(tmp_path.rglob(".*"))
    assert not (tmp_path / "voices").exists()


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))


def test_a_full_disk(work: Path, earlier: Path) -> None:
    """Files cannot grow past a limit, as on a disk that is full."""
    before = contents(earlier.parent)
    command = [sys.executable, "-m", "trt_build", "import", str(work), "--out", str(earlier)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, preexec_fn=limited, env=env, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "free some space" in done.stderr
    assert "[cannot_write]" in done.stderr
    assert contents(earlier.parent) == before
    assert [path.name for path in earlier.parent.iterdir()] == ["v"]


def test_a_folder_that_may_not_be_written(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody makes folders in /proc, root neither."""
    assert main(["import", str(work), "--out", "/proc/voices/v"]) == 1
    assert "[cannot_write]" in capsys.readouterr().err


def test_a_graph_that_differs(
    refused: Refused, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the limits are moved, as no exporter of ours is wrong."""
    monkeypatch.setattr("trt_build.export.agreement.LIMIT", 1e-12)
    monkeypatch.setattr("trt_build.export.agreement.CEILING", 1e-12)
    assert "differ from the PyTorch model" in refused("graph_differs", work)
