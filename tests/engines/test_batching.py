"""Utterances that share decoder steps sound as they do alone, come and go, and do no harm."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.acoustic import AcousticModel, AcousticSessions, MelStream, step_together
from engines.decoding import SLOTS, Alone, Together, batch_fill
from engines.errors import VoiceError
from engines.handover import POLL_S
from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.session import Array, Floats, Session
from engines.style import Controls, Style
from engines.voice import RuntimeOptions, Voice
from tests.engines.whole import CLOSE, distance
from trt_build.cpu.graphs import int8_graph

NEUTRAL = Controls("F7", "emotion_neutral", 2.0, 1.0, 1.0, 0.0, 1.0)
SENTENCES = [
    "今天天气真好，阳光洒在窗台上。",
    "好。",
    "欢迎光临，请问有什么可以帮您？电梯正在上行，请站稳扶好。",
    "再见。明天见。",
]
MANNERS = [  # one for each
    Style(),
    Style(pitch=12.0, volume=0.3),
    Style(speed=0.5, pitch=-12.0),
    Style(speed=2.0, volume=2.0),
]
ACOUSTIC = ("encoder", "duration_step", "memory", "decoder_step", "postnet")
KINDS = ["band", "free", "band int8", "free int8"]
Guard = Callable[[Mapping[str, Array]], None]


@dataclass
class Watched:
    """A session that notes how many slots each call has, and may object to one."""

    inner: Session
    guard: Guard = lambda feeds: None
    slots: list[int] = field(default_factory=list)

    @property
    def state_size(self) -> int:
        return self.inner.state_size

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        self.guard(feeds)
        self.slots.append(len(feeds["frame"]))
        return self.inner.run(feeds)


@dataclass
class Heap:
    """Frames as they come; enough after `most`, and no more wanted after `last`."""

    most: int = 10_000
    last: int = 10_000
    steps: list[Floats] = field(default_factory=list)

    @property
    def full(self) -> bool:
        return len(self.steps) >= self.most

    def stopped(self) -> bool:
        return len(self.steps) >= self.last

    def put(self, frames: Floats) -> None:
        self.steps.append(frames)


@dataclass(frozen=True)
class Model:
    """The acoustic side of a voice, and its decoder under watch."""

    acoustic: AcousticModel
    decoder: Watched

    def stream(self, symbols: int, seed: int) -> MelStream:
        """A sentence of random symbols, ready to decode."""
        rng, file = np.random.default_rng(seed), self.acoustic.sizes
        ids = np.zeros((min(symbols, file.max_symbols), 6), np.int64)
        for column, size in enumerate((140, 9, 4, 4, 10, 2)):
            ids[:, column] = rng.integers(0, size, len(ids))
        return MelStream(self.acoustic, self.acoustic.prepare(ids, NEUTRAL))


def alone(stream: MelStream) -> list[Floats]:
    heap = Heap()
    fill = batch_fill()
    Alone(fill).decode(stream, heap)
    assert fill.counted().counts[0] == fill.counted().total == len(heap.steps)
    return heap.steps


@pytest.fixture(scope="module")
def model(
    plain_pack: Path, nsf_pack: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Model]:
    """A voice with a fixed band, one whose band is its sentence's longest symbol; FP32 or INT8."""

    @cache
    def load(kind: str) -> Model:
        pack = VoicePack(nsf_pack if "band" in kind else plain_pack)
        sessions: dict[str, Session] = {
            name: OrtSession(_file(pack.graphs[name], name, "int8" in kind), 1) for name in ACOUSTIC
        }
        watched = Watched(sessions["decoder_step"])
        all_of_it = AcousticSessions(**{**sessions, "decoder_step": watched})
        return Model(AcousticModel(pack.file.acoustic, all_of_it, pack.file.source), watched)

    return load


def _file(path: Path, name: str, int8: bool) -> Path | bytes:
    if not int8:
        return path
    data: bytes = int8_graph(name, onnx.load(path), {}).SerializeToString()
    return data


RIDES = st.lists(
    st.tuples(
        st.integers(1, 25),  # symbols
        st.integers(0, 99),  # seed
        st.integers(0, 40),  # joins at this step
        st.integers(1, 60) | st.none(),  # leaves after so many of its own
    ),
    min_size=1,
    max_size=SLOTS,
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, deadline=None)
@given(rides=RIDES)
def test_any_who_join_and_leave_are_decoded_as_alone(
    model: Callable[[str], Model], kind: str, rides: list[tuple[int, int, int, int | None]]
) -> None:
    it = model(kind)
    streams = [it.stream(symbols, seed) for symbols, seed, _, _ in rides]
    heard: list[list[Floats]] = [[] for _ in rides]
    last = max(joins + s.steps for (_, _, joins, _), s in zip(rides, streams, strict=True))
    for now in range(last):
        present = [
            n
            for n, (_, _, joins, most) in enumerate(rides)
            if joins <= now and not streams[n].done and (most is None or len(heard[n]) < most)
        ]
        for window in {streams[n].window for n in present}:
            batch = [n for n in present if streams[n].window == window]
            steps = step_together([streams[n] for n in batch])
            for n, frames in zip(batch, steps, strict=True):
                heard[n].append(frames)
    for (symbols, seed, _, most), got in zip(rides, heard, strict=True):
        assert_same(got, alone(it.stream(symbols, seed))[:most])


def assert_same(got: Sequence[Floats], wanted: Sequence[Floats]) -> None:
    assert len(got) == len(wanted)
    assert distance(np.concatenate(got), np.concatenate(wanted)) < CLOSE


def test_threads_that_come_and_go_lose_nothing(model: Callable[[str], Model]) -> None:
    """Each is through once all its frames are there, whoever took its steps, or once stopped."""
    fill = batch_fill()
    it, together = model("band"), Together(fill)
    rng = np.random.default_rng(0)
    sizes = [int(n) for n in rng.integers(1, 20, 40)]
    lasts = [int(n) for n in rng.integers(1, 60, 40)]
    wanted = [alone(it.stream(size, n))[: lasts[n]] for n, size in enumerate(sizes)]
    it.decoder.slots.clear()

    def ride(n: int) -> Heap:
        heap = Heap(last=lasts[n])
        together.decode(it.stream(sizes[n], n), heap)
        return heap

    with ThreadPoolExecutor(12) as threads:
        heaps = list(threads.map(ride, range(len(sizes))))
    for heap, steps in zip(heaps, wanted, strict=True):
        assert_same(heap.steps, steps)
    assert together._riders == []
    assert 1 < max(it.decoder.slots) <= SLOTS
    assert sum(it.decoder.slots) == sum(map(len, wanted))
    shared = Counter(it.decoder.slots)
    counts = (*(shared[size] for size in range(1, SLOTS + 1)), 0)
    assert fill.counted() == (tuple(range(1, SLOTS + 1)), counts, sum(it.decoder.slots))


@pytest.fixture
def gathered(model: Callable[[str], Model]) -> Iterator[Callable[[Sequence[Heap]], list[int]]]:
    """Sentences decoded together from the first step on; what slots the steps had."""
    it = model("band")

    def decode(heaps: Sequence[Heap]) -> list[int]:
        together, ready = Together(), threading.Barrier(len(heaps))

        def ride(n: int) -> None:
            stream = it.stream(12, n)
            ready.wait(10)
            together.decode(stream, heaps[n])

        it.decoder.slots.clear()
        with ThreadPoolExecutor(len(heaps)) as threads:
            riding = [threads.submit(ride, n) for n in range(len(heaps))]
            for one in riding:
                one.result(30)
        return list(it.decoder.slots)

    yield decode
    it.decoder.guard = lambda feeds: None


def test_a_cancelled_one_leaves_at_the_next_step(
    model: Callable[[str], Model], gathered: Callable[[Sequence[Heap]], list[int]]
) -> None:
    heaps = [Heap(), Heap(last=7), Heap()]
    slots = gathered(heaps)
    steps = [model("band").stream(12, n).steps for n in range(3)]
    assert [len(heap.steps) for heap in heaps] == [steps[0], 7, steps[2]]
    assert sum(slots) == steps[0] + 7 + steps[2]


def test_one_with_enough_sits_out_and_holds_nobody_up(
    model: Callable[[str], Model], gathered: Callable[[Sequence[Heap]], list[int]]
) -> None:
    it = model("band")
    slow, quick = Heap(most=3), Heap()
    reader = threading.Timer(4 * POLL_S, lambda: setattr(slow, "most", 10_000))
    reader.start()
    gathered([slow, quick])
    reader.join()
    for n, heap in enumerate((slow, quick)):
        assert_same(heap.steps, alone(it.stream(12, n)))


def test_one_that_fails_ends_alone(model: Callable[[str], Model]) -> None:
    it, together = model("band"), Together()
    wanted = [alone(it.stream(12, n)) for n in range(4)]
    streams = [it.stream(12, n) for n in range(4)]
    poison = it.stream(12, 2)
    for _ in range(5):
        poison.step()
    entry = poison.feeds["entry"]

    def guard(feeds: Mapping[str, Array]) -> None:
        if (feeds["entry"] == entry).all(axis=1).any():
            raise VoiceError("voice_broken", "no such step; export the voice again")

    it.decoder.guard = guard
    heaps = [Heap() for _ in streams]
    with ThreadPoolExecutor(4) as threads:
        riding = [
            threads.submit(together.decode, *pair) for pair in zip(streams, heaps, strict=True)
        ]
    it.decoder.guard = lambda feeds: None
    assert isinstance(riding[2].exception(), VoiceError)
    assert_same(heaps[2].steps, wanted[2][:5])
    for n in (0, 1, 3):
        assert riding[n].exception() is None
        assert_same(heaps[n].steps, wanted[n])
    assert together._riders == []


@pytest.mark.parametrize("batching", [True, False])
@pytest.mark.parametrize("nsf", [True, False])
def test_voices_speak_the_same_together(
    plain_pack: Path, nsf_pack: Path, batching: bool, nsf: bool
) -> None:
    pack = VoicePack(nsf_pack if nsf else plain_pack)
    options = RuntimeOptions(streams=len(SENTENCES), batching=batching)
    watched = Watched(OrtSession(pack.graphs["decoder_step"], 1))
    with Voice(pack, options, {"decoder_step": watched}) as voice:
        manners = MANNERS if nsf else [replace(one, pitch=0.0) for one in MANNERS]
        asked = list(zip(SENTENCES, manners, strict=True))
        wanted = [speak(voice, *one) for one in asked]
        assert set(watched.slots) == {1}
        for _ in range(20 if batching else 3):  # a busy machine may run them one by one
            ready = threading.Barrier(len(SENTENCES))
            with ThreadPoolExecutor(len(SENTENCES)) as threads:
                told = [threads.submit(speak, voice, *one, ready) for one in asked]
            for one, other in zip(told, wanted, strict=True):
                assert distance(one.result(), other) < CLOSE
            if max(watched.slots) > 1:
                break
    assert (max(watched.slots) > 1) is batching


def speak(
    voice: Voice, text: str, style: Style | None = None, ready: threading.Barrier | None = None
) -> Floats:
    plan = voice.plan(text, style or Style())
    if ready is not None:
        ready.wait(30)
    return np.concatenate([chunk.pcm for chunk in voice.stream(plan)])


def test_closing_one_of_several_streams_leaves_the_others_whole(nsf_pack: Path) -> None:
    with Voice.load(nsf_pack) as voice:
        wanted = speak(voice, SENTENCES[2])
        for _ in range(5):
            closing = [voice.stream(voice.plan(SENTENCES[0] * 9)) for _ in range(2)]
            for stream in closing:
                next(stream)
            going = voice.stream(voice.plan(SENTENCES[2]))
            heard = [next(going).pcm]
            for stream in closing:
                stream.close()
            heard += [chunk.pcm for chunk in going]
            assert distance(np.concatenate(heard), wanted) < CLOSE
