"""Every variant of KAN-TTS, streamed in any pieces, equals the whole utterance in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engines import pipeline
from engines.acoustic import AcousticModel, MelStream, PostnetStream, Utterance
from engines.pack import VoiceFile, VoicePack
from engines.pipeline import Part, Plan
from engines.session import Floats, Session, zero_state
from engines.style import Controls
from engines.text.symbols import SymbolTable
from engines.voice import RuntimeOptions, Voice
from tests.engines.whole import CLOSE, cut, distance, minute, rate, whole_wave
from trt_build.export.checkpoint import load_generator, load_sambert
from trt_build.export.pack import SourceStats, VoiceCard, export_voice

KANTTS = Path(__file__).parents[1] / "data" / "kantts"
CUTS = st.lists(st.integers(1, 60), min_size=1, max_size=8)
SIZES = st.one_of(st.integers(1, 12), st.sampled_from([24, 48, 200, 5000]))
# A SAMBERT, a HiFi-GAN that takes its mel, and the mean and deviation of f0 in Hz.
PAIRS = {
    "16k": ("sambert_16k", "hifigan_v1_16k", None),
    "24k": ("sambert_24k", "hifigan_v1_24k", None),
    "centred": ("sambert_16k", "hifigan_noncausal_v1_16k", None),
    "mean_std": ("sambert_nsf_16k", "hifigan_noncausal_nsf_v1_16k", (210.0, 45.0)),
    "global": ("sambert_se_nsf_global_16k", "hifigan_v1_nsf_24k", (30.0, 700.0)),
}


@dataclass(frozen=True, slots=True)
class Golden:
    """A voice of goldens' weights, and the sentence (T, 6) its SAMBERT is a golden of."""

    voice: Voice
    file: VoiceFile
    ids: npt.NDArray[np.int64]

    @property
    def acoustic(self) -> AcousticModel:
        return self.voice._pipeline._acoustic

    @property
    def vocoder(self) -> Session:
        return self.voice._pipeline._vocoder

    def random_ids(self, length: int, seed: int) -> npt.NDArray[np.int64]:
        """Symbols drawn from the golden's, in any order."""
        return self.ids[np.random.default_rng(seed).integers(0, len(self.ids), length)]

    def stream(self, ids: npt.NDArray[np.int64], told: Controls) -> Floats:
        plan = Plan(iter([Part(ids, 0, 0.0)]), told)
        return np.concatenate([chunk.pcm for chunk in self.voice.stream(plan)])

    def whole(self, utterance: Utterance) -> Floats:
        """Decoder, then the postnet in one call, then the vocoder in one call."""
        return whole_wave(self.vocoder, self.file, whole_mel(self.acoustic, utterance))


def at_speed(speed: float) -> Controls:
    return Controls("F7", "emotion_neutral", speed, 1.0, 1.0, 0.0, 1.0)


def decoded(acoustic: AcousticModel, utterance: Utterance) -> Floats:
    stream = MelStream(acoustic, utterance)
    return np.concatenate([stream.step() for _ in range(stream.steps)])


def whole_mel(acoustic: AcousticModel, utterance: Utterance) -> Floats:
    lag, frames = acoustic.sizes.postnet_lag, utterance.frames
    postnet = acoustic.sessions.postnet
    index = np.arange(-lag, frames + lag)
    valid = ((index >= 0) & (index < frames)).astype(np.float32)
    mel = np.pad(decoded(acoustic, utterance), ((0, lag), (0, 0)))
    out = postnet.run(
        {"decoder_mel": mel[None], "valid": valid[None], "state": zero_state(postnet)}
    )
    done: Floats = out["mel"][0, lag:]
    return done


@contextmanager
def chunks_of(first: int, largest: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "FIRST_CHUNK", first)
        patch.setattr(pipeline, "LARGEST_CHUNK", largest)
        patch.setattr(pipeline, "LARGEST_OVERLAPPING", largest)
        yield


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Golden]]:
    voices: list[Voice] = []

    @cache
    def load(name: str) -> Golden:
        acoustic, vocoder, f0 = PAIRS[name]
        folder = tmp_path_factory.mktemp("goldens") / name
        expected = np.load(KANTTS / acoustic / "expected.npz")
        sambert, speakers = load_sambert(KANTTS / acoustic), expected["inputs_speaker"]
        if sambert.takes_embeddings:
            sambert = sambert.with_speakers(torch.from_numpy(speakers[0, :1]))
            speakers = np.zeros(speakers.shape[:2], np.int64)
        generator = load_generator(KANTTS / vocoder)
        export_voice(
            folder,
            card=VoiceCard(name, "zh-CN", "MIT"),
            sambert=sambert,
            generator=generator,
            table=SymbolTable.default(),
            source=SourceStats(*f0, False, 0.1, 0.003, 0.6) if f0 else None,
            statistics={},
            sample_rate=rate(vocoder),
        )
        rest = (expected["inputs_emotion"], speakers)
        ids = np.concatenate([expected["inputs_ling"][0], *(column.T for column in rest)], 1)
        pack = VoicePack(folder)
        voices.append(Voice(pack, RuntimeOptions(1, 1, 1)))
        return Golden(voices[-1], pack.file, ids.astype(np.int64))

    yield load
    for voice in voices:
        voice.close()


@pytest.mark.parametrize("name", ["16k", "24k", "mean_std", "global"])
@settings(max_examples=12, deadline=None)
@given(length=st.integers(1, 40), seed=st.integers(0, 9), sizes=CUTS)
def test_decoder_and_postnet(
    golden: Callable[[str], Golden], name: str, length: int, seed: int, sizes: list[int]
) -> None:
    voice = golden(name)
    acoustic, ids = voice.acoustic, voice.random_ids(length, seed)
    utterance = acoustic.prepare(ids, at_speed(1.0))
    postnet = PostnetStream(acoustic, utterance.frames)
    pieces = [postnet.feed(piece) for piece in cut(decoded(acoustic, utterance), sizes)]
    assert distance(np.concatenate(pieces), whole_mel(acoustic, utterance)) < CLOSE


@pytest.mark.parametrize("name", PAIRS)
@settings(max_examples=8, deadline=None)
@given(length=st.integers(1, 30), seed=st.integers(0, 9), first=SIZES, largest=SIZES)
def test_whole_path(
    golden: Callable[[str], Golden], name: str, length: int, seed: int, first: int, largest: int
) -> None:
    voice, told = golden(name), at_speed(1.5)
    ids = voice.random_ids(length, seed)
    whole = voice.whole(voice.acoustic.prepare(ids, told))
    with chunks_of(first, largest):
        assert distance(voice.stream(ids, told), whole) < CLOSE


@pytest.mark.parametrize("name", PAIRS)
def test_whole_path_with_silent_symbols_and_a_part_of_a_step_left(
    golden: Callable[[str], Golden], name: str
) -> None:
    voice = golden(name)
    speeds = [at_speed(speed) for speed in np.linspace(1.0, 40.0, 79)]
    told = next(t for t in speeds if is_awkward(voice.acoustic.prepare(voice.ids, t)))
    whole = voice.whole(voice.acoustic.prepare(voice.ids, told))
    for first in (1, 2, 7):
        with chunks_of(first, 11):
            assert distance(voice.stream(voice.ids, told), whole) < CLOSE


def is_awkward(utterance: Utterance) -> bool:
    """Zero durations, and the last step has one frame or two."""
    return bool((utterance.durations == 0).any()) and utterance.frames % 3 != 0


@pytest.mark.parametrize("name", ["16k", "24k", "mean_std", "global"])
def test_whole_path_for_a_minute(golden: Callable[[str], Golden], name: str) -> None:
    """The other vocoders speak for a minute in test_streaming_vocoder.py."""
    voice = golden(name)
    ids, wanted = voice.random_ids(700, 0), minute(voice.file)
    natural = voice.acoustic.prepare(ids, at_speed(1.0)).frames
    told = at_speed(natural / (1.05 * wanted))
    utterance = voice.acoustic.prepare(ids, told)
    assert utterance.frames >= wanted
    assert distance(voice.stream(ids, told), voice.whole(utterance)) < CLOSE
