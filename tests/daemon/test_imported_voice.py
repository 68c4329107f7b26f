"""From a KAN-TTS pair to a WAV: imported, served by a daemon of its own, and said as users do."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sambertd_client import Client, cli

from engines.voice import Style, Voice
from tests.daemon.live import served
from trt_build.__main__ import main

KANTTS = Path(__file__).parents[1] / "data" / "kantts"
PAIRS = {
    "causal": ("sambert_16k", "hifigan_v1_16k"),
    "ahead": ("sambert_16k", "hifigan_noncausal_v1_16k"),
}
TEXT = "你好，世界。今天天气真好。"


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voices")
    for name, (am, voc) in PAIRS.items():
        models = ["--am", str(KANTTS / am), "--voc", str(KANTTS / voc)]
        assert main(["import", *models, "--out", str(folder / name)]) == 0
    return folder


@pytest.fixture(scope="module")
def endpoint(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(voices, tmp_path_factory.mktemp("d")) as endpoint:
        yield endpoint


@pytest.mark.parametrize("name", PAIRS)
def test_an_imported_voice_is_heard_whole(
    endpoint: str, voices: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "speech.wav"
    options = ["--endpoint", endpoint, "--voice", name, "--speaker", "F74", "--out", str(out)]
    assert cli.main(["say", TEXT, *options]) == 0
    with wave.open(str(out)) as wav:
        assert wav.getframerate() == 16_000
        heard = np.frombuffer(wav.readframes(wav.getnframes()), "<i2")
    with Voice.load(voices / name) as voice:
        plan = voice.plan(TEXT, Style(speaker="F74"))
        wanted = np.concatenate([chunk.pcm for chunk in voice.stream(plan)])
    assert len(heard) == len(wanted) > 1000
    assert np.abs(heard / 32768.0 - wanted).max() < 2 / 32768.0


def test_the_daemon_knows_what_was_imported(endpoint: str) -> None:
    with Client(endpoint) as client:
        known = {voice.name: voice for voice in client.voices().voices}
    assert set(known) == set(PAIRS)
    assert tuple(known["causal"].speakers) == ("F7", "F74")
    assert "happy" in known["causal"].emotions
