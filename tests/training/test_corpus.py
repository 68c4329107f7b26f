from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from training.corpus import HELD_OUT, INDEX, Corpus, held_out_texts, recordings
from training.errors import TrainingError
from training.features import HOP
from training.prepare import relabel
from training.script import Reader

PLAIN = [f"{chr(0x7000 + i)}{chr(0x7800 + i)}" for i in range(600)]  # none is in held_out.txt


def test_every_readable_recording_is_in_the_corpus(corpus: Corpus, recordings: Path) -> None:
    files = {p.stem.removeprefix("cmn-") for p in recordings.glob("*.wav")}
    assert {e.text for e in corpus.entries} == files
    assert sum(e.frames for e in corpus.entries) == len(corpus.mel) == len(corpus.f0)
    assert len(corpus.wave) == HOP * len(corpus.mel)


def test_words_are_labelled_as_spoken(corpus: Corpus) -> None:
    spoken = {e.text: e.syllables for e in corpus.entries}
    assert spoken["你好"] == ("ni2", "hao3")
    assert spoken["展览馆"] == ("zhan2", "lan2", "guan3")
    assert spoken["朋友"] == ("peng2", "you5")


def test_silence_is_trimmed_and_speech_levelled(corpus: Corpus) -> None:
    for entry in corpus.entries:
        spoken = 0.32 * len(entry.syllables)
        assert spoken < entry.frames * HOP / 16_000 < spoken + 0.2
        assert 0.05 < np.sqrt((corpus.wave_of(entry) ** 2).mean()) < 0.1


def test_pitch_follows_the_tones(corpus: Corpus) -> None:
    high = next(e for e in corpus.entries if e.text == "今天")
    f0 = corpus.f0_of(high)
    assert (f0 > 0).mean() > 0.5
    assert abs(np.median(f0[f0 > 0]) - 280) < 5


def test_held_out_words_are_fixed_and_never_trained_on(corpus: Corpus) -> None:
    again = Corpus(corpus.folder)
    assert corpus.held_out == again.held_out
    assert len(corpus.held_out) == 2
    texts = {e.text for e in corpus.held_out}
    assert all(2 <= len(text) <= 4 for text in texts)
    assert texts.isdisjoint(e.text for e in corpus.training)
    assert len(corpus.training) == len(corpus.entries) - 2


def test_the_held_out_words_of_the_built_in_voice_are_those_of_the_list() -> None:
    listed = set(HELD_OUT.read_text("utf-8").split())
    assert len(listed) == 80
    assert all(2 <= len(word) <= 4 for word in listed)
    assert held_out_texts([*listed, *PLAIN]) == listed


def test_held_out_words_stay_when_others_come_and_go() -> None:
    listed = sorted(HELD_OUT.read_text("utf-8").split())
    before = held_out_texts([*listed, *PLAIN])
    for words in ([*listed, *PLAIN[:-1]], [*listed, *PLAIN, "新词"], [*PLAIN[5:], *listed]):
        assert held_out_texts(words) == before
    fewer = held_out_texts([*listed[1:], *PLAIN])
    assert fewer == before - {listed[0]}


def test_a_corpus_of_other_words_holds_out_one_in_twenty_by_their_hash() -> None:
    out = held_out_texts(PLAIN)
    assert 0.03 < len(out) / len(PLAIN) < 0.07
    assert held_out_texts(PLAIN[1:]) == out - {PLAIN[0]}
    assert held_out_texts([*PLAIN, "甲", "乙"]) == out


def test_mel_is_standardised_by_bin(corpus: Corpus) -> None:
    mel = np.concatenate([corpus.mel_of(e) for e in corpus.entries])
    assert np.abs(mel.mean(0)).max() < 0.02
    assert np.abs(mel.std(0) - 1).max() < 0.02


def test_only_files_named_in_chinese_are_recordings(tmp_path: Path) -> None:
    for name in ("cmn-你好.mp3", "sub/谢谢.OGG", "hello.mp3", "你好.txt", "cmn-.mp3", "A型.mp3"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert {text for text, _ in recordings(tmp_path)} == {"你好", "谢谢"}


def test_missing_corpus_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="run --stage prepare first") as error:
        Corpus(tmp_path)
    assert error.value.code == "stage_missing"


def test_relabel_reads_the_words_anew_and_keeps_the_rest(corpus: Corpus, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    shutil.copytree(corpus.folder, folder)
    index = json.loads((folder / INDEX).read_text("utf-8"))
    index["entries"][0]["syllables"] = ["wrong1"]
    (folder / INDEX).write_text(json.dumps(index), "utf-8")
    assert relabel(folder) == 1
    assert Corpus(folder).entries == corpus.entries
    assert relabel(folder) == 0


def test_reader_gives_erhua_one_syllable() -> None:
    assert Reader().syllables("花儿") == ("huar1",)
