"""What graphs are fed while a voice speaks can be had as a plain iterable."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmarks import random_voice
from engines.ort_session import OrtSession
from engines.pack import GRAPHS, VoicePack
from engines.voice import Style, Voice
from trt_build.feeds import Feeds, Recorder, Speaker, feeds, record, styles
from trt_build.graph_file import read_graphs
from trt_build.profiles import profile, voice_dimensions

TEXTS = ["你好。", "《》", "请稍候。"]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> VoicePack:
    folder = tmp_path_factory.mktemp("voices") / "tiny"
    return VoicePack(random_voice.write(random_voice.tiny(), folder, "tiny"))


def test_every_speaker_speaks_in_every_emotion(pack: VoicePack) -> None:
    with Voice.load(pack.folder) as voice:
        pairs = {(s, e) for s in voice.info.speakers for e in voice.info.emotions}
    assert {(style.speaker, style.emotion) for style in styles(pack)} == pairs
    assert len(styles(pack)) == len(pairs) > 1


def test_the_sink_is_told_of_every_call_and_the_speech_is_the_voices_own(pack: VoicePack) -> None:
    calls: Counter[str] = Counter()
    with Voice.load(pack.folder) as voice:
        spoken = [
            sum(len(c.pcm) for c in voice.stream(voice.plan(text, style)))
            for text, style in ((TEXTS[0], styles(pack)[0]), (TEXTS[2], styles(pack)[2]))
        ]
    seconds = record(pack, TEXTS, GRAPHS, lambda graph, _: calls.update([graph]))
    assert seconds == pytest.approx(sum(spoken) / pack.file.sample_rate)
    assert set(calls) == set(GRAPHS)
    assert calls["postnet"] <= calls["decoder_step"]
    assert calls["encoder"] < calls["duration_step"]


def test_only_the_graphs_asked_for_are_recorded(pack: VoicePack) -> None:
    calls: Counter[str] = Counter()
    record(pack, TEXTS[:1], ("memory",), lambda graph, _: calls.update([graph]))
    assert set(calls) == {"memory"}


def test_feeds_are_copies_that_fit_what_engines_are_built_for(pack: VoicePack) -> None:
    """A decoder's window is one array that changes in place from step to step."""
    shapes = profile(read_graphs(pack)["decoder_step"], voice_dimensions(pack.file)["decoder_step"])
    fed = list(feeds(pack, TEXTS, "decoder_step"))
    for one in fed:
        for name, value in one.items():
            for low, size, high in zip(
                shapes[name].min, value.shape, shapes[name].max, strict=True
            ):
                assert low <= size <= high
    assert not np.array_equal(fed[3]["mask"], fed[5]["mask"])


def test_what_was_recorded_gives_what_was_spoken(pack: VoicePack) -> None:
    """Run again, the vocoder's feeds make the wave anew."""
    session = OrtSession(pack.graphs["vocoder"], 1)
    again = [session.run(one)["wave"][0] for one in feeds(pack, TEXTS[:1], "vocoder")]
    with Voice.load(pack.folder) as voice:
        plan = voice.plan(TEXTS[0], styles(pack)[0])
        wave = np.concatenate([chunk.pcm for chunk in voice.stream(plan)])
    assert np.abs(np.concatenate(again)[: len(wave)] - wave).max() < 1e-5


def test_a_text_with_nothing_to_speak_gives_nothing(pack: VoicePack) -> None:
    with Speaker(pack, (), lambda *_: None) as speaker:
        assert speaker.speak(0, "《》") == 0.0
        assert speaker.speak(1, "好。") > 0.0


def test_an_error_of_the_sink_comes_out(pack: VoicePack) -> None:
    """Even from the decoder's thread."""

    def refuse(graph: str, fed: Feeds) -> None:
        raise LookupError(graph)

    for graph in ("duration_step", "vocoder"):
        with pytest.raises(LookupError, match=graph):
            record(pack, TEXTS, (graph,), refuse)


def test_a_recorder_is_a_session(pack: VoicePack) -> None:
    seen: list[Feeds] = []
    inner = OrtSession(pack.graphs["duration_step"], 1)
    recorder = Recorder("duration_step", inner, lambda _, fed: seen.append(fed))
    assert recorder.state_size == inner.state_size > 0
    sessions = {"duration_step": recorder}
    with Voice(pack, Speaker.OPTIONS, sessions) as voice:
        list(voice.stream(voice.plan("好。", Style())))
    assert len(seen) > 1
