"""The voice that comes with the repository, as it is heard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engines.voice import Style, Voice
from training.features import pitch

PACK = Path(__file__).resolve().parents[2] / "voices" / "yue"
SENTENCE = "今天天气真好，阳光洒在窗台上，我泡了一杯咖啡。"
SYLLABLES = 22


@pytest.fixture(scope="module")
def voice() -> Iterator[Voice]:
    with Voice.load(PACK) as loaded:
        yield loaded


def speak(voice: Voice, text: str, style: Style | None = None) -> np.ndarray:
    return np.concatenate([chunk.pcm for chunk in voice.stream(voice.plan(text, style))])


def mean_f0(wave: np.ndarray) -> float:
    """Geometric mean in Hz of the voiced frames."""
    f0 = pitch(wave)
    return float(np.exp(np.log(f0[f0 > 0]).mean()))


@pytest.fixture(scope="module")
def neutral(voice: Voice) -> np.ndarray:
    return speak(voice, SENTENCE)


def test_the_pack_is_small_and_complete() -> None:
    names = {path.name for path in PACK.iterdir()}
    assert {"LICENSE", "README.md", "calibration.txt", "sample.wav", "sample.png"} <= names
    assert sum(path.stat().st_size for path in PACK.iterdir()) < 40e6
    assert len((PACK / "calibration.txt").read_text("utf-8").splitlines()) == 200


def test_it_sounds_like_speech(neutral: np.ndarray) -> None:
    seconds = len(neutral) / 16_000
    assert 2.5 < SYLLABLES / seconds < 6.0
    assert np.isfinite(neutral).all()
    assert 0.1 < np.abs(neutral).max() < 1.0
    assert abs(neutral.mean()) < 0.003
    assert 0.3 < (pitch(neutral) > 0).mean() < 0.9
    assert 180 < mean_f0(neutral) < 350


def test_tones_go_the_way_they_should(voice: Voice) -> None:
    """Second tones rise and fourth tones fall, in words the ear tells apart by that alone."""
    for word, sign in (("回答。", 1), ("大会。", -1), ("人民。", 1), ("现在。", -1)):
        f0 = pitch(speak(voice, word))
        voiced = np.flatnonzero(f0 > 0)
        last = np.split(voiced, np.flatnonzero(np.diff(voiced) > 3) + 1)[-1]
        half = len(last) // 2
        slope = np.log(f0[last[half:]]).mean() - np.log(f0[last[:half]]).mean()
        assert slope * sign > 0, f"{word}: {slope:+.3f}"


@pytest.mark.parametrize("semitones", [-4.0, 4.0])
def test_pitch(voice: Voice, neutral: np.ndarray, semitones: float) -> None:
    moved = 12 * np.log2(mean_f0(speak(voice, SENTENCE, Style(pitch=semitones))) / mean_f0(neutral))
    assert 0.5 < moved / semitones < 1.3


@pytest.mark.parametrize(("emotion", "higher", "longer"), [("happy", 1, -1), ("sad", -1, 1)])
def test_emotions_are_heard(
    voice: Voice, neutral: np.ndarray, emotion: str, higher: int, longer: int
) -> None:
    wave = speak(voice, SENTENCE, Style(emotion=emotion))
    assert higher * np.log(mean_f0(wave) / mean_f0(neutral)) > 0.02
    assert longer * np.log(len(wave) / len(neutral)) > 0.02
