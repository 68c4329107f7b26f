"""What was said before is heard again at once, as it was, and never as something else."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.phrase_files import SUFFIX, PhraseFiles
from engines.phrases import Phrase, PhraseCache, VoicePhrases
from engines.session import Floats
from engines.store import Engine
from engines.style import Controls
from engines.voice import AudioChunk, RuntimeOptions, Style, Voice
from tests.engines.test_batching import Watched

TEXT = "今天天气真好，阳光洒在窗台上。"
NEUTRAL = Controls("F7", "emotion_neutral", 1.0, 1.0, 1.0, 0.0, 1.0)
IDS = np.arange(30, dtype=np.int64).reshape(5, 6)
MB = 1 << 20
HIT_S = 0.005


def phrase(seed: int, frames: int = 10) -> Phrase:
    rng = np.random.default_rng(seed)
    return Phrase(np.array([frames]), rng.standard_normal(frames * 200).astype(np.float32))


def same(one: Phrase | None, other: Phrase) -> bool:
    return (
        one is not None
        and np.array_equal(one.pcm, other.pcm)
        and np.array_equal(one.durations, other.durations)
    )


class Speaker:
    """A voice with a cache, its decoder under watch."""

    def __init__(self, pack: VoicePack, cache: PhraseCache) -> None:
        self.steps = Watched(OrtSession(pack.graphs["decoder_step"], 1))
        engines = {"decoder_step": self.steps}
        self.voice = Voice(pack, RuntimeOptions(), engines, VoicePhrases(cache, pack))

    def say(self, text: str, style: Style | None = None) -> tuple[list[AudioChunk], int]:
        """Chunks, and decoder steps that it took."""
        before = len(self.steps.slots)
        chunks = list(self.voice.stream(self.voice.plan(text, style)))
        return chunks, len(self.steps.slots) - before


@pytest.fixture
def pack(nsf_pack: Path) -> VoicePack:
    return VoicePack(nsf_pack)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[PhraseCache]:
    it = PhraseCache(8 * MB, tmp_path / "phrases", 64 * MB)
    yield it
    it.close()


@pytest.fixture
def speaker(pack: VoicePack, cache: PhraseCache) -> Iterator[Speaker]:
    it = Speaker(pack, cache)
    yield it
    it.voice.close()


def wave(chunks: list[AudioChunk]) -> Floats:
    return np.concatenate([chunk.pcm for chunk in chunks])


def test_said_again_it_is_the_same_without_the_models(speaker: Speaker) -> None:
    first, steps = speaker.say(TEXT)
    assert steps > 50
    again, steps = speaker.say(TEXT)
    assert steps == 0
    assert np.array_equal(wave(again), wave(first))
    marks = [[mark for chunk in chunks for mark in chunk.marks] for chunks in (first, again)]
    assert marks[0] == marks[1]
    assert len(marks[0]) > 10


def test_a_phrase_is_found_within_other_texts(speaker: Speaker) -> None:
    alone, _ = speaker.say(TEXT)
    _, steps = speaker.say("再见。")
    both, taken = speaker.say("再见。" + TEXT)
    assert (steps > 0, taken) == (True, 0)
    assert np.array_equal(wave(both)[-len(wave(alone)) :], wave(alone))


@pytest.mark.parametrize(
    "style",
    [
        Style(speed=1.1),
        Style(pitch=1.0),
        Style(volume=0.5),
        Style(speaker="F74"),
        Style(emotion="happy"),
    ],
)
def test_said_otherwise_it_is_spoken_anew(speaker: Speaker, style: Style) -> None:
    speaker.say(TEXT)
    assert speaker.say(TEXT, style)[1] > 0
    assert speaker.say(TEXT, style)[1] == 0


def test_what_was_broken_off_is_not_kept(speaker: Speaker, cache: PhraseCache) -> None:
    stream = speaker.voice.stream(speaker.voice.plan(TEXT))
    next(stream)
    stream.close()
    told = iter([False] * 40)
    list(speaker.voice.stream(speaker.voice.plan(TEXT), lambda: next(told, True)))
    assert cache.figures().in_memory == 0
    whole, steps = speaker.say(TEXT)
    assert steps > 50
    assert np.array_equal(wave(speaker.say(TEXT)[0]), wave(whole))


def test_a_known_phrase_can_be_cancelled(speaker: Speaker) -> None:
    speaker.say(TEXT)
    cancelled: list[bool] = []
    plan = speaker.voice.plan(TEXT * 3)
    for _ in speaker.voice.stream(plan, lambda: bool(cancelled)):
        cancelled.append(True)
    assert len(cancelled) == 1


def test_a_plan_may_take_and_not_keep_or_neither(speaker: Speaker, cache: PhraseCache) -> None:
    voice = speaker.voice
    list(voice.stream(voice.plan(TEXT, phrases="recall")))
    list(voice.stream(voice.plan(TEXT, phrases="ignore")))
    voice.warm_up()
    assert cache.figures().in_memory == 0
    speaker.say(TEXT)
    before = len(speaker.steps.slots)
    list(voice.stream(voice.plan(TEXT, phrases="recall")))
    assert len(speaker.steps.slots) == before
    list(voice.stream(voice.plan(TEXT, phrases="ignore")))
    assert len(speaker.steps.slots) > before + 50


def test_known_phrases_do_not_pile_up(speaker: Speaker, cache: PhraseCache) -> None:
    """They are fetched as they are heard, however long the text."""
    speaker.say(TEXT)
    stream = speaker.voice.stream(speaker.voice.plan(TEXT * 50))
    next(stream)
    time.sleep(0.2)
    assert cache.figures().from_memory <= 3
    assert len(list(stream)) > 50
    assert cache.figures().from_memory == 50


@pytest.mark.parametrize("from_disk", [False, True])
def test_a_hit_answers_at_once(pack: VoicePack, tmp_path: Path, from_disk: bool) -> None:
    """From the text to the first audio, reading it included; the best of ten on a busy machine."""
    root = tmp_path / "phrases"
    cache = PhraseCache(0 if from_disk else 8 * MB, root, 64 * MB)
    speaker = Speaker(pack, cache)
    with speaker.voice as voice:
        speaker.say(TEXT)
        deadline = time.monotonic() + 10
        while from_disk and not cache.figures().on_disk and time.monotonic() < deadline:
            time.sleep(0.01)
        times = []
        for _ in range(10):
            start = time.perf_counter()
            stream = voice.stream(voice.plan(TEXT))
            next(stream)
            times.append(time.perf_counter() - start)
            list(stream)
    figures = cache.figures()
    assert (figures.from_memory, figures.from_disk) == ((0, 10) if from_disk else (10, 0))
    assert min(times) < HIT_S
    cache.close()


def test_phrases_outlive_the_process(pack: VoicePack, tmp_path: Path) -> None:
    waves = []
    for steps_wanted in (True, False):
        cache = PhraseCache(8 * MB, tmp_path / "phrases", 64 * MB)
        speaker = Speaker(pack, cache)
        with speaker.voice:
            chunks, steps = speaker.say(TEXT)
        assert (steps > 0) is steps_wanted
        waves.append(wave(chunks))
        cache.close()
    assert np.array_equal(waves[0], waves[1])


def test_the_key_is_of_all_that_makes_the_audio(
    pack: VoicePack, plain_pack: Path, cache: PhraseCache
) -> None:
    engine = Engine("vocoder", "ort-cpu", "int8", "k", "AMD", "onnxruntime 1", "now", sha256="a")
    shelves = [
        VoicePhrases(cache, pack),
        VoicePhrases(cache, VoicePack(plain_pack)),
        VoicePhrases(cache, pack, {"vocoder": engine}),
        VoicePhrases(cache, pack, {"postnet": engine}),
        VoicePhrases(cache, pack, {"vocoder": msgspec.structs.replace(engine, sha256="b")}),
        VoicePhrases(cache, pack, {"vocoder": msgspec.structs.replace(engine, runtime="other")}),
    ]
    changed = IDS.copy()
    changed[3, 4] += 1
    told = [
        NEUTRAL,
        replace(NEUTRAL, speed=1.5),
        replace(NEUTRAL, pitch=1.5),
        replace(NEUTRAL, energy=1.5),
        replace(NEUTRAL, volume=1.5),
        replace(NEUTRAL, pitch_range=1.5),
        replace(NEUTRAL, speaker="F74"),
        replace(NEUTRAL, emotion="emotion_sad"),
    ]
    keys = [it.key(ids, c) for it in shelves for ids in (IDS, changed, IDS[:4]) for c in told]
    assert len(set(keys)) == len(keys) == 6 * 3 * 8
    assert VoicePhrases(cache, pack).key(IDS.copy(), replace(NEUTRAL)) == keys[0]


@settings(max_examples=40, deadline=None)
@given(
    asked=st.lists(st.tuples(st.booleans(), st.integers(0, 7)), max_size=60),
    room=st.integers(0, 5),
)
def test_memory_is_bounded_and_the_longest_unused_goes(
    asked: list[tuple[bool, int]], room: int
) -> None:
    size = phrase(0).size
    cache, model = PhraseCache(room * size + size // 2), list[int]()
    for put, n in asked:
        if put:
            cache.put(str(n), phrase(n))
        else:
            got = cache.get(str(n))
            assert same(got, phrase(n)) if n in model else got is None
        if put or n in model:
            model = ([it for it in model if it != n] + [n])[-room:] if room else []
        assert cache.figures().memory_bytes == len(model) * size
    cache.close()


def test_the_disk_is_bounded_and_the_longest_unused_goes(tmp_path: Path) -> None:
    body = bytes(1000)
    files = PhraseFiles(tmp_path, 3 * 1100)
    for n, name in enumerate("abc"):
        files.write(name, body)
        os.utime(tmp_path / (name + SUFFIX), (n, n))
    again = PhraseFiles(tmp_path, 3 * 1100)
    assert again.read("a") == body
    again.write("d", body)
    assert {path.stem for path in tmp_path.iterdir()} == {"a", "c", "d"}
    again.write("large", bytes(4000))
    assert PhraseFiles(tmp_path, 3 * 1100).count == 3
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["a", "c", "d"]
    assert PhraseFiles(tmp_path, 1100).size <= 1100
    assert len(list(tmp_path.iterdir())) == 1


@settings(max_examples=60, deadline=None)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_file_is_dropped_and_never_heard(
    tmp_path_factory: pytest.TempPathFactory, where: float, bit: int, cut: bool
) -> None:
    root = tmp_path_factory.mktemp("damaged")
    cache = PhraseCache(0, root, MB)
    cache.put("key", phrase(1))
    cache.close()
    (path,) = root.iterdir()
    data = bytearray(path.read_bytes())
    at = int(where * len(data))
    if cut:
        del data[at:]
    else:
        data[at] ^= 1 << bit
    path.write_bytes(data)
    cache = PhraseCache(0, root, MB)
    assert cache.get("key") is None
    assert cache.figures().dropped == 1
    assert list(root.iterdir()) == []
    cache.put("key", phrase(1))
    cache.close()
    cache = PhraseCache(0, root, MB)
    assert same(cache.get("key"), phrase(1))
    cache.close()


def test_a_file_under_another_name_is_not_taken(tmp_path: Path) -> None:
    files = PhraseFiles(tmp_path, MB)
    files.write("one", b"said")
    (tmp_path / f"one{SUFFIX}").rename(tmp_path / f"other{SUFFIX}")
    assert files.read("other") is None
    assert files.read("one") is None


@pytest.mark.parametrize("wrong", [phrase(1), Phrase(np.full(5, -2), phrase(1).pcm)])
def test_a_phrase_that_does_not_fit_its_symbols_is_dropped(
    pack: VoicePack, cache: PhraseCache, wrong: Phrase
) -> None:
    shelf = VoicePhrases(cache, pack)
    cache.put(shelf.key(IDS, NEUTRAL), wrong)
    assert shelf.get(IDS, NEUTRAL) is None
    right = Phrase(np.full(5, 2), phrase(1).pcm)
    shelf.put(IDS, NEUTRAL, right)
    assert same(shelf.get(IDS, NEUTRAL), right)


def test_samples_that_are_no_numbers_are_not_kept(cache: PhraseCache) -> None:
    cache.put("key", Phrase(np.array([1]), np.full(200, np.nan, np.float32)))
    assert cache.get("key") is None


def test_a_disk_that_refuses_is_logged_once_and_memory_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    cache = PhraseCache(MB, blocked / "phrases", MB)
    for n in range(3):
        cache.put(str(n), phrase(n))
    assert same(cache.get("1"), phrase(1))
    assert cache.get("9") is None
    cache.close()
    assert len(caplog.records) == 1
    assert "choose a folder that can be written" in caplog.text


def test_a_folder_that_was_taken_away_is_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "phrases"
    files = PhraseFiles(root, MB)
    files.write("one", b"1")
    shutil.rmtree(root)
    files.write("two", b"2")
    assert (files.read("one"), files.read("two"), files.count) == (None, b"2", 1)
    assert root.stat().st_mode & 0o777 == 0o700
    assert not caplog.records


def test_leftovers_of_a_killed_writer_go(tmp_path: Path) -> None:
    old, young = tmp_path / ".new-old", tmp_path / ".new-young"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    assert PhraseFiles(tmp_path, MB).count == 0
    assert [path.name for path in tmp_path.iterdir()] == [".new-young"]
