from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import mel_cepstral_distance
import numpy as np
import numpy.typing as npt
import pytest
from scipy.io import wavfile

from benchmarks.measures import (
    COEFFICIENTS,
    TO_DECIBELS,
    analyse,
    compare,
    correlation,
    rmse,
    warping_path,
)
from benchmarks.quality import main, measure, plot, report, show
from benchmarks.quality_voices import CheckpointSpeaker
from training.corpus import Corpus
from training.stages import Recipe

Floats = npt.NDArray[np.float32]
RATE = 16_000


def word(hz: npt.NDArray[np.float64], seed: int = 0) -> Floats:
    """A hiss, then a harmonic sound of this pitch, with breath noise all through."""
    rng = np.random.default_rng(seed)
    turns = np.cumsum(hz) / RATE
    voiced = sum(np.sin(2 * np.pi * k * turns) / k for k in range(1, 16)) * 0.1
    hiss = 0.05 * rng.standard_normal(1600)
    wave = np.concatenate([hiss, voiced])
    return (wave + 1e-3 * rng.standard_normal(len(wave))).astype(np.float32)


def glide(low: float, high: float, seconds: float = 0.4) -> npt.NDArray[np.float64]:
    return np.linspace(low, high, int(seconds * RATE))


def test_a_word_is_nothing_away_from_itself() -> None:
    same = analyse(word(glide(180, 260)))
    found = compare(same, same)
    assert found.mcd == 0
    assert found.f0_correlation == pytest.approx(1)
    assert found.f0_rmse == 0
    assert found.voicing_error == 0
    assert found.length == 1


def test_loudness_alone_is_no_distortion() -> None:
    wave = word(glide(180, 260))
    assert compare(analyse(wave), analyse(wave * 0.3)).mcd < 0.01


def test_a_semitone_up_is_a_hundred_cents_with_the_same_melody() -> None:
    low = analyse(word(glide(180, 260)))
    found = compare(low, dataclasses.replace(low, f0=low.f0 * np.float32(2 ** (1 / 12))))
    assert found.f0_rmse == pytest.approx(100, abs=0.01)
    assert found.f0_correlation == pytest.approx(1)
    assert found.voicing_error == 0


def test_a_hum_a_semitone_up_is_heard_as_a_hundred_cents() -> None:
    """A level hum: in a glide, warping would pair frames of like pitch and hide the shift."""
    hz = glide(220, 220)
    found = compare(analyse(word(hz)), analyse(word(hz * 2 ** (1 / 12))))
    assert np.median(np.abs(np.diff(found.log_f0, axis=1))) == pytest.approx(100, abs=3)
    assert found.voicing_error < 0.1


def test_a_falling_tone_for_a_rising_one_is_found_out() -> None:
    found = compare(analyse(word(glide(180, 260))), analyse(word(glide(260, 180))))
    assert found.f0_correlation < 0.2


def test_whispering_is_a_voicing_error() -> None:
    hz = glide(180, 260)
    noise = 0.1 * np.random.default_rng(3).standard_normal(len(word(hz))).astype(np.float32)
    found = compare(analyse(word(hz)), analyse(noise))
    assert found.voicing_error > 0.5
    assert found.mcd > 5


def test_distortion_is_the_packages_own_on_the_customary_scale(tmp_path: Path) -> None:
    a, b = word(glide(180, 260)), word(glide(240, 200, 0.5), seed=1)
    for name, wave in (("a.wav", a), ("b.wav", b)):
        wavfile.write(tmp_path / name, RATE, wave)
    theirs, _ = mel_cepstral_distance.compare_audio_files(
        tmp_path / "a.wav",
        tmp_path / "b.wav",
        s=0,
        D=COEFFICIENTS,
        align_target="mfcc",
        dtw_radius=None,
    )
    assert compare(analyse(a), analyse(b)).mcd == pytest.approx(theirs * TO_DECIBELS, rel=1e-3)


def test_distortion_is_the_rms_difference_of_the_spectra_in_decibels() -> None:
    a = analyse(word(glide(200, 200)))
    tilted = a.cepstra.copy()
    bands = np.arange(20)
    shape = 3 * np.cos((bands + 0.5) * np.pi / 20)  # 3 dB up at one end, 3 dB down at the other
    tilted[:, 0] += (shape / 10) @ np.cos((bands + 0.5) * np.pi / 20)
    difference = np.linalg.norm(tilted - a.cepstra, axis=1).mean()
    assert TO_DECIBELS * difference == pytest.approx(np.sqrt((shape**2).mean()))


def test_warping_finds_a_stretched_copy() -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((9, 3))
    owner = np.repeat(np.arange(9), rng.integers(1, 4, 9))
    path = warping_path(a, a[owner])
    assert path.tolist() == [[o, i] for i, o in enumerate(owner)]


def test_measures_of_nothing_are_not_numbers() -> None:
    assert math.isnan(correlation(np.empty((0, 2))))
    assert math.isnan(correlation(np.array([[1.0, 2], [1, 3]])))
    assert math.isnan(rmse(np.empty((0, 2))))


class Parrot:
    """A perfect voice: it plays the recordings, its copies a little noisy."""

    name = "parrot"

    def __init__(self, corpus: Corpus) -> None:
        self._words = {e.text: corpus.wave_of(e) for e in corpus.held_out}
        self._by_length = {len(w): w for w in self._words.values()}

    def say(self, text: str) -> Floats:
        return self._words[text]

    def copy(self, mel: Floats, f0: Floats) -> Floats:
        wave = self._by_length[200 * len(mel)]
        noise = np.random.default_rng(0).standard_normal(len(wave)).astype(np.float32)
        return wave + 0.02 * noise


def test_a_perfect_voice_gets_a_perfect_report(corpus: Corpus, tmp_path: Path) -> None:
    words = measure(corpus, Parrot(corpus))
    figures = report(Parrot(corpus), words)
    assert figures["words"] == len(corpus.held_out) == len(figures["each"])
    speech, copy = figures["text_to_speech"], figures["copy_synthesis"]
    assert speech["mcd_db"] == 0
    assert speech["f0_correlation"] == pytest.approx(1)
    assert speech["f0_rmse_cents"] == 0
    assert copy["mcd_db"] > 0.2
    told = show(figures)
    assert all(entry.text in told for entry in corpus.held_out)
    plot(corpus, words, tmp_path / "words.png")
    assert (tmp_path / "words.png").read_bytes().startswith(b"\x89PNG")
    json.dumps(figures)


def test_checkpoints_can_be_measured_before_there_is_a_voice(trained: Recipe) -> None:
    speaker = CheckpointSpeaker(trained.out, "tiny", trained.corpus().stats)
    entry = trained.corpus().held_out[0]
    copied = speaker.copy(trained.corpus().mel_of(entry), trained.corpus().f0_of(entry))
    assert len(copied) == 200 * entry.frames
    assert np.isfinite(copied).all()
    assert "SAMBERT step 8, HiFi-GAN step 8" in speaker.name


def test_missing_corpus_and_voice_are_told(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--corpus", str(tmp_path), "--voice", str(tmp_path)]) == 1
    assert "[stage_missing]" in capsys.readouterr().err
    assert main(["--corpus", str(recipe.out / "corpus"), "--voice", str(tmp_path)]) == 1
    assert "[voice_not_found]" in capsys.readouterr().err
