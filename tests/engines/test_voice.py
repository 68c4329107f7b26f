from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import random_voice
from benchmarks.random_voice import Models
from engines import pipeline
from engines.acoustic import MelStream
from engines.errors import StyleError, TextError
from engines.session import Array, Session
from engines.text.symbols import symbols
from engines.vocoder import Excitation
from engines.voice import RuntimeOptions, Style, Voice, front_end

SENTENCE = "今天天气真好，阳光洒在窗台上。"


@pytest.fixture(scope="module")
def plain(plain_pack: Path) -> Iterator[Voice]:
    with Voice.load(plain_pack) as voice:
        yield voice


@pytest.fixture(scope="module")
def nsf(nsf_pack: Path) -> Iterator[Voice]:
    with Voice.load(nsf_pack) as voice:
        yield voice


def speak(voice: Voice, text: str, style: Style | None = None) -> Array:
    return np.concatenate([chunk.pcm for chunk in voice.stream(voice.plan(text, style))])


def whole_utterance(models: Models, text: str) -> Array:
    """PyTorch, no streaming: what the stream has to equal."""
    (sentence,) = front_end().read(text)
    ids = torch.from_numpy(models.table.encode(symbols(sentence))[None])
    with torch.no_grad():
        spoken = models.sambert.infer(ids[..., :4], ids[..., 4], ids[..., 5])
        wave = models.generator(spoken.mel[:, : int(spoken.lengths)].transpose(1, 2))
    return np.asarray(wave[0, 0])


@pytest.mark.parametrize("text", ["好。", SENTENCE, "请问您需要什么帮助？"])
def test_stream_equals_whole_utterance(plain: Voice, models: Models, text: str) -> None:
    expected = whole_utterance(models, text)
    got = speak(plain, text)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 1e-4
    assert np.abs(expected).max() > 1e-3


@pytest.mark.parametrize("first", [1, 2, 7, 500])
def test_chunk_size_does_not_change_the_audio(
    plain: Voice, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    expected = speak(plain, SENTENCE)
    monkeypatch.setattr(pipeline, "FIRST_CHUNK", first)
    assert np.abs(speak(plain, SENTENCE) - expected).max() < 1e-5


class Counting:
    """A session that counts its calls and can be held back."""

    def __init__(self, inner: Session, limit: int) -> None:
        self.inner, self.calls, self.limit = inner, 0, limit
        self.gate = threading.Event()

    @property
    def state_size(self) -> int:
        return self.inner.state_size

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        self.calls += 1
        if self.calls > self.limit:
            assert self.gate.wait(10), "nobody asked for the rest"
        return self.inner.run(feeds)


def test_first_chunk_leaves_before_the_sentence_is_decoded(
    plain: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = plain._pipeline._acoustic
    steps = Counting(model.sessions.decoder_step, limit=8)
    monkeypatch.setattr(
        model,
        "sessions",
        type(model.sessions)(
            model.sessions.encoder,
            model.sessions.duration_step,
            model.sessions.memory,
            steps,
            model.sessions.postnet,
        ),
    )
    stream = plain.stream(plain.plan(SENTENCE))
    first = next(stream)
    assert len(first.pcm) > 0
    assert steps.calls <= 9
    steps.gate.set()
    assert len(list(stream)) > 3
    assert steps.calls > 60


def test_cancel_ends_the_stream_and_the_next_one_works(plain: Voice) -> None:
    cancelled = threading.Event()
    chunks = []
    for chunk in plain.stream(plain.plan(SENTENCE * 20), cancelled.is_set):
        chunks.append(chunk)
        cancelled.set()
    assert len(chunks) == 1
    assert len(speak(plain, SENTENCE)) > 16_000


def test_closing_a_stream_early_frees_its_decoder(plain_pack: Path) -> None:
    with Voice.load(plain_pack, RuntimeOptions(streams=1)) as voice:
        stream = voice.stream(voice.plan(SENTENCE * 20))
        next(stream)
        with pytest.raises(RuntimeError, match="all streams"):
            speak(voice, "好。")
        stream.close()
        assert len(speak(voice, "好。")) > 0


@pytest.mark.parametrize("good_steps", [0, 5, 200])
def test_a_failing_decoder_is_an_error_not_silence(
    plain: Voice, monkeypatch: pytest.MonkeyPatch, good_steps: int
) -> None:
    calls, step = itertools.count(), MelStream.step

    def broken(stream: MelStream) -> Array:
        if next(calls) >= good_steps:
            raise RuntimeError("decoder broke")
        return step(stream)

    monkeypatch.setattr(MelStream, "step", broken)
    with pytest.raises(RuntimeError, match="decoder broke"):
        speak(plain, SENTENCE * 5)
    monkeypatch.undo()
    assert len(speak(plain, "好。")) > 0


def test_a_later_sentence_is_read_while_the_first_is_spoken(
    plain: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plain.plan("你好。" + SENTENCE * 30)
    read = itertools.count()
    ids = plain._planner._ids

    def counted(*told: Any) -> Array:
        next(read)
        return ids(*told)

    monkeypatch.setattr(plain._planner, "_ids", counted)
    next(plain.stream(plan))
    assert next(read) < 30


def test_nsf_stream_equals_whole_utterance(nsf: Voice) -> None:
    models = random_voice.tiny()
    (sentence,) = front_end().read(SENTENCE)
    ids = torch.from_numpy(models.table.encode(symbols(sentence))[None])
    source = nsf._file.source
    assert source is not None
    with torch.no_grad():
        spoken = models.sambert.infer(ids[..., :4], ids[..., 4], ids[..., 5])
        mel = spoken.mel[0, : int(spoken.lengths)]
        f0 = np.maximum(mel[:, -2].numpy() * source.f0_std + source.f0_mean, 30.0)
        voiced = (mel[:, -1].numpy() >= source.voicing_threshold).astype(np.float32)
        excitation = Excitation(source, 16_000, 200).feed(f0, voiced)
        wave = models.generator(
            mel[None, :, :-2].transpose(1, 2), torch.from_numpy(excitation)[None, None]
        )
    assert np.abs(speak(nsf, SENTENCE) - wave[0, 0].numpy()).max() < 1e-4


def test_chunks_name_their_sentence(nsf: Voice) -> None:
    numbers = [chunk.sentence for chunk in nsf.stream(nsf.plan("你好。再见。谢谢。"))]
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 2}


def test_same_text_sounds_the_same(nsf: Voice) -> None:
    assert np.array_equal(speak(nsf, SENTENCE), speak(nsf, SENTENCE))


def test_pause_between_sentences(plain: Voice) -> None:
    apart = len(speak(plain, "你好。")) + len(speak(plain, "再见。"))
    together = len(speak(plain, "你好。再见。"))
    assert together - apart == int(0.28 * 16_000)


def test_speed_and_volume(plain: Voice) -> None:
    normal = speak(plain, SENTENCE)
    fast = speak(plain, SENTENCE, Style(speed=2.0))
    assert 0.4 < len(fast) / len(normal) < 0.6
    assert not speak(plain, SENTENCE, Style(volume=0.0)).any()
    assert np.allclose(speak(plain, SENTENCE, Style(volume=0.5)), 0.5 * normal, atol=1e-6)


def test_speakers_differ(plain: Voice) -> None:
    one = speak(plain, SENTENCE, Style(speaker="F7"))
    other = speak(plain, SENTENCE, Style(speaker="F74"))
    assert one.shape != other.shape or np.abs(one - other).max() > 1e-4


@pytest.mark.parametrize(
    ("style", "code"),
    [
        (Style(speaker="nobody"), "unknown_speaker"),
        (Style(emotion="furious"), "unknown_emotion"),
        (Style(speed=0.1), "bad_style"),
        (Style(pitch=math.nan), "bad_style"),
        (Style(volume=3.0), "bad_style"),
        (Style(pitch=2.0), "bad_style"),  # a voice without f0 of its own
    ],
)
def test_a_style_that_cannot_be_met_is_refused(plain: Voice, style: Style, code: str) -> None:
    with pytest.raises(StyleError) as caught:
        plain.plan(SENTENCE, style)
    assert caught.value.code == code


@pytest.mark.parametrize("text", ["", "  \n", "😀🎉", "……"])
def test_text_without_words_is_refused(plain: Voice, text: str) -> None:
    with pytest.raises(TextError) as caught:
        plain.plan(text)
    assert caught.value.code == "text_empty"


def test_a_sentence_beyond_the_voice_is_refused(
    plain: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    import msgspec

    model = plain._pipeline._acoustic
    monkeypatch.setattr(model, "sizes", msgspec.structs.replace(model.sizes, max_symbols=10))
    with pytest.raises(TextError) as caught:
        speak(plain, SENTENCE)
    assert caught.value.code == "text_too_long"


def test_info(plain: Voice) -> None:
    assert plain.info.sample_rate == 16_000
    assert plain.info.speakers == ("F7", "F74")
    assert "happy" in plain.info.emotions


def test_open_streams_do_not_disturb_each_other(nsf: Voice) -> None:
    texts = ["今天天气真好。", "欢迎光临，请问有什么可以帮您？", "电梯正在上行。", "再见。"]
    alone = [speak(nsf, text) for text in texts]
    streams = [nsf.stream(nsf.plan(text)) for text in texts]
    heard: list[list[Array]] = [[] for _ in texts]
    pending = set(range(len(texts)))
    while pending:
        for i in sorted(pending):
            chunk = next(streams[i], None)
            if chunk is None:
                pending.discard(i)
            else:
                heard[i].append(chunk.pcm)
    for expected, parts in zip(alone, heard, strict=True):
        assert np.array_equal(np.concatenate(parts), expected)
