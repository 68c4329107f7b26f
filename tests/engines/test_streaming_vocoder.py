"""Every HiFi-GAN variant, streamed in any pieces, equals the whole utterance in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.ort_session import OrtSession
from engines.pack import Acoustic, Source, Symbols, Vocoder, VoiceFile
from engines.session import Floats, Session
from engines.vocoder import VocoderStream
from tests.engines.whole import CLOSE, cut, distance, merging, minute, rate, whole_wave
from trt_build.export.checkpoint import load_generator
from trt_build.export.hifigan import Generator
from trt_build.export.vocoder_context import vocoder_context
from trt_build.export.vocoder_graph import export_vocoder

KANTTS = Path(__file__).parents[1] / "data" / "kantts"
HIFIGANS = sorted(path.name for path in KANTTS.glob("hifigan_*"))
CUTS = st.lists(st.integers(1, 60), min_size=1, max_size=8)


@dataclass(frozen=True, slots=True)
class Alone:
    """A vocoder without its SAMBERT."""

    session: Session
    file: VoiceFile
    channels: int

    def mel(self, frames: int) -> Floats:
        """Noise; f0 and voicing as well where the vocoder takes them."""
        wide = self.channels + 2 * (self.file.source is not None)
        return np.random.default_rng(frames).standard_normal((frames, wide), np.float32)

    def stream(self, mel: Floats, sizes: Sequence[int]) -> Floats:
        stream = VocoderStream(self.session, self.file, len(mel))
        return np.concatenate([stream.feed(piece) for piece in cut(mel, sizes)])


def voice_file(generator: Generator, sample_rate: int) -> VoiceFile:
    """What a vocoder stream must know; the acoustic model is filler."""
    config, nothing = generator.config, ("",)
    return VoiceFile(
        format=1,
        name="alone",
        language="zh-CN",
        licence="MIT",
        sample_rate=sample_rate,
        hop_length=config.hop_length,
        symbols=Symbols(nothing, nothing, nothing, nothing),
        acoustic=Acoustic(
            mels=82,
            frames_per_step=3,
            layers=1,
            heads=1,
            width=1,
            memory=1,
            text=1,
            postnet_lag=0,
            max_symbols=1,
        ),
        graphs={},
        fingerprint="",
        vocoder=Vocoder(vocoder_context(generator)),
        source=Source(*merging(generator), 210.0, 45.0) if config.source else None,
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Alone]:
    @cache
    def load(name: str) -> Alone:
        generator = load_generator(KANTTS / name)
        path = tmp_path_factory.mktemp("vocoders") / "vocoder.onnx"
        onnx.save(export_vocoder(generator), str(path))
        file = voice_file(generator, rate(name))
        return Alone(OrtSession(path, 1), file, generator.config.in_channels)

    return load


@pytest.mark.parametrize("name", HIFIGANS)
@settings(max_examples=8, deadline=None)
@given(frames=st.integers(1, 160), sizes=CUTS)
def test_vocoder_in_any_pieces(
    alone: Callable[[str], Alone], name: str, frames: int, sizes: list[int]
) -> None:
    vocoder = alone(name)
    mel = vocoder.mel(frames)
    whole = whole_wave(vocoder.session, vocoder.file, mel)
    assert distance(vocoder.stream(mel, sizes), whole) < CLOSE


@pytest.mark.parametrize("name", ["hifigan_v1_48k", "hifigan_noncausal_v1_16k"])
def test_vocoder_for_a_minute(alone: Callable[[str], Alone], name: str) -> None:
    """The other variants speak for a minute in test_streaming.py."""
    vocoder = alone(name)
    mel = vocoder.mel(minute(vocoder.file))
    whole = whole_wave(vocoder.session, vocoder.file, mel)
    assert np.abs(whole).max() > 1e-2
    assert distance(vocoder.stream(mel, [1, 6, 200, 97]), whole) < CLOSE


@pytest.mark.parametrize("name", HIFIGANS)
def test_vocoder_streams_share_nothing(alone: Callable[[str], Alone], name: str) -> None:
    """Two utterances in turn on one session, a third dropped half way."""
    vocoder = alone(name)
    mels = [vocoder.mel(90), vocoder.mel(91), vocoder.mel(92)]
    streams = [VocoderStream(vocoder.session, vocoder.file, len(mel)) for mel in mels]
    waves: list[list[Floats]] = [[], [], []]
    for turn, pieces in enumerate(zip(*(cut(mel, [23]) for mel in mels), strict=True)):
        for n in range(3 if turn < 2 else 2):
            waves[n].append(streams[n].feed(pieces[n]))
    for mel, wave in zip(mels[:2], waves[:2], strict=True):
        assert distance(np.concatenate(wave), vocoder.stream(mel, [23])) == 0.0
