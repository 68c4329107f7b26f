"""From every KAN-TTS pair to a WAV: imported, served by a daemon, and said as users do."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sambertd_client import Client, cli

from engines.voice import Style, Voice
from tests.daemon.live import served
from tests.trt_build.kantts_voices import speaker_embedding
from trt_build.__main__ import main

KANTTS = Path(__file__).parents[1] / "data" / "kantts"
PAIRS = {
    "causal": ("sambert_16k", "hifigan_v1_16k"),
    "ahead": ("sambert_16k", "hifigan_noncausal_v1_16k"),
    "24k": ("sambert_24k", "hifigan_v1_24k"),
    "nsf": ("sambert_nsf_16k", "hifigan_v1_nsf_24k"),
    "nsf_ahead": ("sambert_nsf_16k", "hifigan_noncausal_nsf_v1_16k"),
    "se": ("sambert_se_nsf_global_16k", "hifigan_noncausal_nsf_v1_16k"),
}
SPEAKERS = {"se": "robot"}
TEXT = "你好，世界。今天天气真好。"


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voices")
    for name, (am, voc) in PAIRS.items():
        models = ["--am", str(KANTTS / am), "--voc", str(KANTTS / voc)]
        if name in SPEAKERS:
            embedding = speaker_embedding(folder.with_name(f"{name}.npy"))
            models += ["--speaker", f"{SPEAKERS[name]}={embedding}"]
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
    speaker = SPEAKERS.get(name, "F74")
    options = ["--endpoint", endpoint, "--voice", name, "--speaker", speaker, "--out", str(out)]
    assert cli.main(["say", TEXT, *options]) == 0
    with wave.open(str(out)) as wav:
        heard = np.frombuffer(wav.readframes(wav.getnframes()), "<i2")
        rate = wav.getframerate()
    with Voice.load(voices / name) as voice:
        assert rate == voice.info.sample_rate == (24_000 if "24k" in PAIRS[name][1] else 16_000)
        plan = voice.plan(TEXT, Style(speaker=speaker))
        wanted = np.concatenate([chunk.pcm for chunk in voice.stream(plan)])
    assert len(heard) == len(wanted) > 1000
    assert np.abs(heard / 32768.0 - wanted).max() < 2 / 32768.0


def test_the_daemon_knows_what_was_imported(endpoint: str) -> None:
    with Client(endpoint) as client:
        known = {voice.name: voice for voice in client.voices().voices}
    assert set(known) == set(PAIRS)
    assert tuple(known["causal"].speakers) == ("F7", "F74")
    assert tuple(known["se"].speakers) == ("robot",)
    assert "happy" in known["causal"].emotions
