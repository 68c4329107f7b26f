"""One utterance through the models, the decoder in a thread of its own ahead of the vocoder."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.acoustic import AcousticModel, MelStream, PostnetStream
from engines.pack import VoiceFile
from engines.session import Floats, Session
from engines.style import Controls
from engines.vocoder import VocoderStream

Cancelled = Callable[[], bool]
FIRST_CHUNK = 6  # mel frames
LARGEST_CHUNK = 48  # mel frames
LARGEST_OVERLAPPING = 96  # mel frames; of a vocoder that looks ahead, which small chunks cost more
QUEUE_STEPS = 120  # decoder steps the decoder may be ahead
POLL_S = 0.05  # how soon a thread that waits for the other notices cancel


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """PCM float32 (n,) in [-1, 1] of sentence number `sentence`."""

    pcm: Floats
    sentence: int


@dataclass(frozen=True, slots=True)
class Part:
    """Symbol ids (T, 6) of sentence number `sentence`, all or some, and the silence after them.

    spans: the characters of the caller's text each symbol is for. marks: names, each before a
    symbol, or after all at T. controls: how, if not as the plan says. before_s: silence before.
    """

    ids: npt.NDArray[np.int64]
    sentence: int
    pause_s: float
    spans: tuple[tuple[int, int], ...] = ()
    marks: tuple[tuple[int, str], ...] = ()
    controls: Controls | None = None
    before_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to say, part by part as they are needed, and how. A plan can be spoken once."""

    parts: Iterator[Part]
    controls: Controls


@dataclass(frozen=True, slots=True)
class _Start:
    """A part of sentence number `sentence` begins.

    frames: how many mel frames it has. pause_s: the silence before it. controls: how it is said.
    """

    frames: int
    sentence: int
    pause_s: float
    controls: Controls


Item = _Start | Floats | None
Items = queue.Queue[Item]


class Pipeline:
    """Runs plans on loaded models; each open stream has a decoder thread."""

    def __init__(
        self, acoustic: AcousticModel, vocoder: Session, voice: VoiceFile, streams: int
    ) -> None:
        self._acoustic, self._vocoder, self._voice = acoustic, vocoder, voice
        self._free = threading.BoundedSemaphore(streams)
        self._executor = ThreadPoolExecutor(streams, f"decoder-{voice.name}")

    def stream(self, plan: Plan, cancelled: Cancelled) -> Generator[AudioChunk, None, None]:
        """Audio chunk by chunk; the first leaves while its sentence is still being decoded.

        Ends early once `cancelled` says so; it is asked before every decoder step and every
        vocoder chunk. Closing the stream stops the work behind it.

        Raises:
            RuntimeError: as many streams are open as were asked for.
            EngineError: a later sentence cannot be spoken, or the voice is broken.
        """
        if not self._free.acquire(blocking=False):
            raise RuntimeError("all streams of this voice are open; close one, or load with more")
        stop = threading.Event()
        items: Items = queue.Queue(QUEUE_STEPS)

        def stopped() -> bool:
            return stop.is_set() or cancelled()

        work = self._executor.submit(self._decode, plan, items, stopped)
        try:
            yield from self._vocode(plan.controls, items, cancelled)
        finally:
            stop.set()
            wait([work])
            self._free.release()
        work.result()

    def close(self) -> None:
        """End the decoder threads."""
        self._executor.shutdown()

    def _decode(self, plan: Plan, items: Items, stopped: Cancelled) -> None:
        """Producer: every part's frames, step by step, then None."""
        pause_s = 0.0
        try:
            for part in plan.parts:
                if stopped():
                    return
                told = part.controls or plan.controls
                utterance = self._acoustic.prepare(part.ids, told)
                before_s = pause_s + part.before_s
                _put(items, _Start(utterance.frames, part.sentence, before_s, told), stopped)
                pause_s = part.pause_s
                mel = MelStream(self._acoustic, utterance)
                while not mel.done and not stopped():
                    _put(items, mel.step(), stopped)
        finally:
            _put(items, None, stopped)

    def _vocode(
        self, controls: Controls, items: Items, cancelled: Cancelled
    ) -> Iterator[AudioChunk]:
        """Consumer: part by part, silence between them."""
        while isinstance(start := _get(items, cancelled), _Start):
            pause = self._pause(start.pause_s, controls)
            if len(pause):
                yield AudioChunk(pause, start.sentence)
            left = start.frames
            for pcm in self._sentence(left, start.controls, items, cancelled):
                left -= len(pcm) // self._voice.hop_length
                yield AudioChunk(pcm, start.sentence)
            if left:
                return

    def _sentence(
        self, frames: int, controls: Controls, items: Items, cancelled: Cancelled
    ) -> Iterator[Floats]:
        """Postnet and vocoder over growing chunks; ends early if the frames do."""
        context = self._voice.vocoder.context
        postnet = PostnetStream(self._acoustic, frames)
        vocoder = VocoderStream(self._vocoder, self._voice, frames)
        size, largest = chunk_frames(context)
        wanted = size + self._voice.acoustic.postnet_lag + context
        held: list[Floats] = []
        fed = waiting = 0
        while fed < frames:
            item = _get(items, cancelled)
            if not isinstance(item, np.ndarray):
                return
            held.append(item)
            waiting += len(item)
            if waiting < wanted and fed + waiting < frames:
                continue
            mel = postnet.feed(np.concatenate(held))
            fed, waiting, held = fed + waiting, 0, []
            wanted = size = min(2 * size, largest)
            pcm = vocoder.feed(mel) if len(mel) else mel
            if len(pcm):
                yield pcm * np.float32(controls.volume)

    def _pause(self, seconds: float, controls: Controls) -> Floats:
        samples = int(seconds * self._voice.sample_rate / controls.speed)
        return np.zeros(samples, np.float32)


def chunk_frames(context: int) -> tuple[int, int]:
    """Mel frames of the first chunk and of the largest, for a vocoder of this context."""
    if context:  # the second chunk takes so long that the first must last longer
        return 2 * FIRST_CHUNK, LARGEST_OVERLAPPING
    return FIRST_CHUNK, LARGEST_CHUNK


def _put(items: Items, item: Item, stopped: Cancelled) -> None:
    """Wait for room, but not once stopped."""
    while True:
        try:
            items.put(item, timeout=POLL_S)
            return
        except queue.Full:
            if stopped():
                return


def _get(items: Items, cancelled: Cancelled) -> Item:
    """The next item; None at the end or once cancelled."""
    while not cancelled():
        try:
            return items.get(timeout=POLL_S)
        except queue.Empty:
            continue
    return None
