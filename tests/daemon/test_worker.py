from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from daemon.voices import Broken, Shelf, arranged, packs
from daemon.worker import pcm_s16le
from engines.errors import VoiceError
from tests.daemon.tone import ToneVoice


def test_pcm_is_rounded_and_clipped_never_wrapped() -> None:
    floats = np.array([0, 1, -1, 1.5, -9, 0.5 / 32767, 1.6 / 32767], np.float32)
    assert np.frombuffer(pcm_s16le(floats), "<i2").tolist() == [
        0,
        32767,
        -32767,
        32767,
        -32768,
        0,
        2,
    ]


def test_the_default_voice_is_first() -> None:
    shelf = Shelf(voices={name: ToneVoice(name) for name in ("a", "b", "c")})
    assert list(arranged(shelf, Path("packs"), "b").voices) == ["b", "a", "c"]


def test_a_default_voice_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(VoiceError, match="choose of a with --voice"):
        arranged(Shelf(voices={"a": ToneVoice("a")}), Path("packs"), "x")


def test_broken_packs_are_no_matter_while_one_serves() -> None:
    broken = Broken("packs/bad", "voice_hash_mismatch", "the vocoder was changed")
    shelf = Shelf(voices={"a": ToneVoice("a")}, broken=[broken])
    assert list(arranged(shelf, Path("packs"), "").voices) == ["a"]
    with pytest.raises(VoiceError, match="packs/bad: the vocoder was changed"):
        arranged(Shelf(broken=[broken]), Path("packs"), "")


def test_a_folder_without_packs(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(VoiceError, match="--voices DIR"):
            packs(folder)
