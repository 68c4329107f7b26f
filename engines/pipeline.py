"""One utterance through the models, the decoder in a thread of its own ahead of the vocoder."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.acoustic import AcousticModel, MelStream, PostnetStream
from engines.pack import VoiceFile
from engines.session import Floats, Session
from engines.style import Controls
from engines.vocoder import VocoderStream

Cancelled = Callable[[], bool]
FIRST_CHUNK = 6
LARGEST_CHUNK = 48
QUEUE_STEPS = 120
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """PCM float32 (n,) in [-1, 1] of sentence number `sentence`; last: nothing comes after it."""

    pcm: Floats
    sentence: int
    last: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What to say: symbol ids (T, 6) per sentence, and how."""

    sentences: tuple[npt.NDArray[np.int64], ...]
    controls: Controls


@dataclass(frozen=True, slots=True)
class _Start:
    """A sentence begins; it has this many mel frames."""

    frames: int


Item = _Start | Floats | None
Items = queue.Queue[Item]


class Pipeline:
    """Runs plans on loaded models; each open stream holds one thread of the executor."""

    def __init__(
        self, acoustic: AcousticModel, vocoder: Session, voice: VoiceFile, executor: Executor
    ) -> None:
        self._acoustic, self._vocoder, self._voice, self._executor = (
            acoustic,
            vocoder,
            voice,
            executor,
        )

    def stream(self, plan: Plan, cancelled: Cancelled) -> Generator[AudioChunk, None, None]:
        """Audio chunk by chunk; the first leaves while its sentence is still being decoded.

        Ends early, without a last chunk, once `cancelled` says so; it is asked before every decoder
        step and every vocoder chunk.
        """
        stop = threading.Event()
        items: Items = queue.Queue(QUEUE_STEPS)
        work = self._executor.submit(
            self._decode, plan, items, lambda: stop.is_set() or cancelled()
        )
        try:
            yield from self._vocode(plan, items, cancelled)
        finally:
            stop.set()
            work.result()

    def _decode(self, plan: Plan, items: Items, stopped: Cancelled) -> None:
        """Producer: every sentence's frames, step by step, then None."""
        try:
            for ids in plan.sentences:
                if stopped():
                    return
                utterance = self._acoustic.prepare(ids, plan.controls)
                _put(items, _Start(utterance.frames), stopped)
                mel = MelStream(self._acoustic, utterance)
                while not mel.done and not stopped():
                    _put(items, mel.step(), stopped)
        finally:
            _put(items, None, stopped)

    def _vocode(self, plan: Plan, items: Items, cancelled: Cancelled) -> Iterator[AudioChunk]:
        """Consumer: postnet and vocoder over growing chunks, silence between sentences."""
        last = len(plan.sentences) - 1
        for number in range(len(plan.sentences)):
            start = _get(items, cancelled)
            if not isinstance(start, _Start):
                return
            if number:
                yield AudioChunk(self._pause(plan.controls), number, last=False)
            for pcm, ended in self._sentence(start.frames, plan.controls, items, cancelled):
                yield AudioChunk(pcm, number, last=ended and number == last)

    def _sentence(
        self,
        frames: int,
        controls: Controls,
        items: Items,
        cancelled: Cancelled,
    ) -> Iterator[tuple[Floats, bool]]:
        """(audio, whether the sentence ended) chunk by chunk."""
        postnet = PostnetStream(self._acoustic, frames)
        voice = self._voice
        vocoder = VocoderStream(self._vocoder, voice.source, voice.sample_rate, voice.hop_length)
        wanted, size = FIRST_CHUNK + voice.acoustic.postnet_lag, FIRST_CHUNK
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
            wanted = size = min(2 * size, LARGEST_CHUNK)
            if len(mel):
                yield vocoder.feed(mel) * np.float32(controls.volume), fed == frames

    def _pause(self, controls: Controls) -> Floats:
        samples = int(self._voice.pause_s * self._voice.sample_rate / controls.speed)
        return np.zeros(samples, np.float32)


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
