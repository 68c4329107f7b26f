"""One utterance through the models, the decoder in a thread of its own ahead of the vocoder."""

from __future__ import annotations

import threading
from collections.abc import Collection, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

import numpy as np
import numpy.typing as npt

from engines.acoustic import AcousticModel, MelStream, PostnetStream
from engines.decoding import Alone, Decoder, Together
from engines.handover import Handover, Stopped
from engines.histogram import Histogram
from engines.marks import KINDS, Said, SpeechMark, speech_marks
from engines.pack import VoiceFile
from engines.pauses import LONGEST_PAUSE
from engines.phrases import Phrase, VoicePhrases
from engines.session import Floats, Session
from engines.style import Controls
from engines.text.sentence import Unread
from engines.vocoder import VocoderStream

Cancelled = Stopped
# recall: used, but nothing new is kept; refresh: spoken anew, in the place of what is kept
PhraseUse = Literal["use", "recall", "refresh", "ignore"]
FIRST_CHUNK = 6  # mel frames
LARGEST_CHUNK = 48  # mel frames
LARGEST_OVERLAPPING = 96  # mel frames; of a vocoder that looks ahead, which small chunks cost more
QUEUE_STEPS = 120  # decoder steps the decoder may be ahead


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """PCM float32 (n,) in [-1, 1] of sentence number `sentence`.

    marks: of a whole part of the text, with the first of its chunks, which may be the silence
    ahead of it. So none comes later than the chunk it points into. known: its part was kept from
    earlier, and not made.
    """

    pcm: Floats
    sentence: int
    marks: tuple[SpeechMark, ...] = ()
    known: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Symbol ids (T, 6) of sentence number `sentence`, all or some, and the silence after them.

    said: the words behind the symbols; without it the part has no marks. spans: the characters of
    the caller's text each symbol is for. marks: names of SSML's, each before a symbol, or after all
    at T. controls: how, if not as the plan says. before_s: silence before it.
    """

    ids: npt.NDArray[np.int64]
    sentence: int
    pause_s: float
    said: Said | None = None
    spans: tuple[tuple[int, int], ...] = ()
    marks: tuple[tuple[int, str], ...] = ()
    controls: Controls | None = None
    before_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to say, part by part as they are needed, and how. A plan can be spoken once.

    phrases: whether those that are kept from earlier are used, and new ones kept.
    unread: what of the text is not in the speech; it grows as parts are taken. marks: their kinds
    that are wanted.
    """

    parts: Iterator[Part]
    controls: Controls
    phrases: PhraseUse = "use"
    unread: list[Unread] = field(default_factory=list)
    marks: Collection[str] = KINDS

    def told(self, part: Part) -> Controls:
        """How a part is said."""
        return part.controls or self.controls


@dataclass(frozen=True, slots=True)
class _Start:
    """A part begins. durations (T,): frames of its symbols. pause_s: the silence before it.

    known: the part's audio (n,), where it was kept; then no frames follow.
    """

    part: Part
    durations: npt.NDArray[np.int64]
    pause_s: float
    known: Floats | None = None

    @property
    def frames(self) -> int:
        return int(self.durations.sum())

    def marks(self, hop: int, at: int, kinds: Collection[str]) -> tuple[SpeechMark, ...]:
        """Of the part, which begins at sample `at`."""
        said = self.part.said if kinds else None
        return speech_marks(said, self.durations, hop, at, self.part.marks, kinds) if said else ()


Items = Handover[_Start | Floats]


class Pipeline:
    """Runs plans on loaded models; each open stream has a decoder thread."""

    def __init__(
        self,
        acoustic: AcousticModel,
        vocoder: Session,
        voice: VoiceFile,
        streams: int,
        batching: bool = True,
        phrases: VoicePhrases | None = None,
        fill: Histogram | None = None,
    ) -> None:
        """batching: whether streams that are open at the same time share decoder steps.

        phrases: those kept from earlier; None keeps none. fill: notes how many share each.
        """
        self._phrases = phrases
        self._acoustic, self._vocoder, self._voice = acoustic, vocoder, voice
        self._decoder: Decoder = Together(fill) if batching else Alone(fill)
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
        items: Items = Handover(QUEUE_STEPS, lambda: stop.is_set() or cancelled())
        work = self._executor.submit(self._decode, plan, items)
        try:
            yield from self._vocode(plan, items)
        finally:
            stop.set()
            wait([work])
            self._free.release()
        work.result()

    def recall(
        self, parts: Sequence[Part], controls: Controls, marks: Collection[str] = KINDS
    ) -> Generator[AudioChunk, None, None] | None:
        """The same audio where all of it is kept in memory: no model, no thread, no disk.

        None: some of it is not there. It takes no place of the streams.
        """
        plan = Plan(iter(parts), controls, "recall", marks=marks)
        told = [(part.ids, plan.told(part)) for part in parts]
        found = self._phrases.recall(told) if self._phrases else None
        if found is None:
            return None
        items: Items = Handover(len(parts) + 1, lambda: False)
        pause_s = 0.0
        for part, phrase in zip(parts, found, strict=True):
            items.put(_Start(part, phrase.durations, pause_s + part.before_s, phrase.pcm))
            pause_s = part.pause_s
        items.put(None)
        return self._vocode(plan, items)

    def close(self) -> None:
        """End the decoder threads."""
        self._executor.shutdown()

    def _decode(self, plan: Plan, items: Items) -> None:
        """Producer: every part's frames, step by step, then None."""
        pause_s = 0.0
        try:
            for part in plan.parts:
                if items.stopped():
                    return
                pause_s += part.before_s
                phrase = self._recalled(part, plan)
                if phrase is not None:
                    items.put(_Start(part, phrase.durations, pause_s, phrase.pcm), ahead=0)
                else:
                    utterance = self._acoustic.prepare(part.ids, plan.told(part))
                    items.put(_Start(part, utterance.durations, pause_s))
                    self._decoder.decode(MelStream(self._acoustic, utterance), items)
                pause_s = part.pause_s
        finally:
            items.put(None)

    def _recalled(self, part: Part, plan: Plan) -> Phrase | None:
        if self._phrases is None or plan.phrases in ("refresh", "ignore"):
            return None
        return self._phrases.get(part.ids, plan.told(part))

    def _vocode(self, plan: Plan, items: Items) -> Generator[AudioChunk, None, None]:
        """Consumer: part by part, silence between them."""
        at, hop = 0, self._voice.hop_length
        while isinstance(start := items.get(), _Start):
            pause = int(start.pause_s * self._voice.sample_rate / plan.controls.speed)
            end = at + pause + start.frames * hop
            marks = start.marks(hop, at + pause, plan.marks)
            speech = self._speech(start, plan, items)
            for pcm in chain(self._silence(pause), speech):
                yield AudioChunk(pcm, start.part.sentence, marks, start.known is not None)
                at, marks = at + len(pcm), ()
            if at < end:
                return

    def _speech(self, start: _Start, plan: Plan, items: Items) -> Iterator[Floats]:
        """The audio of a part, kept or made; what is made is kept once it is whole."""
        hop = self._voice.hop_length
        if start.known is not None:
            yield from self._known(start.known, items)
            return
        keep = self._phrases if plan.phrases in ("use", "refresh") else None
        told = plan.told(start.part)
        made: list[Floats] = []
        for pcm in self._sentence(start.frames, told, items):
            if keep is not None:
                made.append(pcm)
            yield pcm
        if keep is not None and sum(map(len, made)) == start.frames * hop:
            keep.put(start.part.ids, told, Phrase(start.durations, np.concatenate(made)))

    def _known(self, pcm: Floats, items: Items) -> Iterator[Floats]:
        """Audio in the largest chunks; ends early once cancelled."""
        size = chunk_frames(self._voice.vocoder.context)[1] * self._voice.hop_length
        for first in range(0, len(pcm), size):
            if items.stopped():
                return
            yield pcm[first : first + size]

    def _sentence(self, frames: int, controls: Controls, items: Items) -> Iterator[Floats]:
        """Postnet and vocoder over growing chunks; ends early if the frames do."""
        context = self._voice.vocoder.context
        postnet = PostnetStream(self._acoustic, frames)
        vocoder = VocoderStream(self._vocoder, self._voice, frames)
        size, largest = chunk_frames(context)
        wanted = size + self._voice.acoustic.postnet_lag + context
        held: list[Floats] = []
        fed = waiting = 0
        while fed < frames:
            item = items.get()
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

    def _silence(self, samples: int) -> Iterator[Floats]:
        """In pieces: SSML may ask for minutes."""
        most = int(LONGEST_PAUSE * self._voice.sample_rate)
        for first in range(0, samples, most):
            yield np.zeros(min(most, samples - first), np.float32)


def chunk_frames(context: int) -> tuple[int, int]:
    """Mel frames of the first chunk and of the largest, for a vocoder of this context."""
    if context:  # the second chunk takes so long that the first must last longer
        return 2 * FIRST_CHUNK, LARGEST_OVERLAPPING
    return FIRST_CHUNK, LARGEST_CHUNK
