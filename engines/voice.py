"""A voice, loaded and ready: text and style in, audio out as it is made."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import NamedTuple

import numpy as np

from engines.acoustic import AcousticModel, AcousticSessions
from engines.errors import VoiceError
from engines.histogram import Histogram
from engines.marks import KINDS, SpeechMark
from engines.memo import Markup, Memo, Reading
from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.phrases import VoicePhrases
from engines.pipeline import AudioChunk, Cancelled, PhraseUse, Pipeline, Plan
from engines.planner import Planner
from engines.session import Session
from engines.style import Style, emotions
from engines.text.frontend import FrontEnd
from engines.text.lexicon import Lexicon
from engines.text.lexicon_file import LexiconFile
from engines.text.sentence import Unread

__all__ = [
    "AudioChunk",
    "Markup",
    "Plan",
    "RuntimeOptions",
    "SpeechMark",
    "Style",
    "Voice",
    "VoiceInfo",
]

NO_WORDS = Lexicon()


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """Bounds on what a voice may use.

    streams: how many utterances may be open at once; each decodes in a thread of its own.
    vocoder_threads, acoustic_threads: within one call of the vocoder, and of what comes before it.
    batching: whether open utterances share decoder steps, or each takes its own.
    """

    streams: int = 4
    vocoder_threads: int = 2
    acoustic_threads: int = 1
    batching: bool = True

    def threads(self, graph: str) -> int:
        """Within one call of this graph."""
        return self.vocoder_threads if graph == "vocoder" else self.acoustic_threads


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """What a caller may know of a voice. sample_rate in Hz."""

    name: str
    language: str
    licence: str
    sample_rate: int
    speakers: tuple[str, ...]
    emotions: tuple[str, ...]


class Recalled(NamedTuple):
    """Speech that is at hand, and what of its text is not in it."""

    chunks: Generator[AudioChunk, None, None]
    unread: tuple[Unread, ...]


@cache
def front_end() -> FrontEnd:
    """The text front end, which all voices share; loading it takes about a second."""
    return FrontEnd()


class Voice:
    """A loaded voice pack. Any thread may plan and stream; `streams` utterances may be open."""

    def __init__(
        self,
        pack: VoicePack,
        options: RuntimeOptions,
        engines: Mapping[str, Session] = MappingProxyType({}),
        phrases: VoicePhrases | None = None,
        fill: Histogram | None = None,
    ) -> None:
        """The pack's graphs on ONNX Runtime, but for those that `engines` runs, by graph name.

        phrases: where what this voice says on these engines is kept, to be heard again at once.
        fill: notes how many utterances share each step of the decoder.
        `sessions` holds what runs each graph; another voice of the same pack may share it.
        `lexicon` is the one in the pack's folder, lexicon.toml or lexicon.csv, if there is one and
        it is in order; see `LexiconFile`.
        """
        file = pack.file
        self._file = file
        self._planner = Planner(file)
        self._memo = Memo()
        self.lexicon = LexiconFile.of_folder(pack.folder)
        sessions = {
            name: engines.get(name) or OrtSession(path, options.threads(name))
            for name, path in pack.graphs.items()
        }
        self.sessions: Mapping[str, Session] = MappingProxyType(sessions)
        vocoder = sessions["vocoder"]
        others = {name: session for name, session in sessions.items() if name != "vocoder"}
        acoustic = AcousticModel(file.acoustic, AcousticSessions(**others), file.source)
        self.streams = options.streams
        self._pipeline = Pipeline(
            acoustic, vocoder, file, options.streams, options.batching, phrases, fill
        )
        self.info = VoiceInfo(
            file.name,
            file.language,
            file.licence,
            file.sample_rate,
            file.symbols.speakers,
            emotions(file),
        )

    @classmethod
    def load(cls, folder: Path, options: RuntimeOptions | None = None) -> Voice:
        """Load a voice pack.

        Raises:
            VoiceError: see VoicePack; also voice_broken for a graph the runtime refuses.
            LexiconError: the lexicon in its folder is wrong; see `read_lexicon`.
        """
        voice = cls(VoicePack(folder), options or RuntimeOptions())
        if voice.lexicon.error is not None:
            voice.close()
            raise voice.lexicon.error
        return voice

    def plan(
        self,
        text: str,
        style: Style | None = None,
        phrases: PhraseUse = "use",
        *,
        markup: Markup = "text",
        marks: Collection[str] = KINDS,
        lexicon: Lexicon | None = None,
    ) -> Plan:
        """Settle the style and read the first sentence; the others are read while it is spoken.

        Sentences that are long are spoken in parts; see `engines.text.clauses`. phrases: what part
        those that are kept have in it; see `Plan`.
        markup: what the text is: plain, a document of SSML (`engines.text.ssml`), or symbols
        (`engines.text.symbol_text`). marks: their kinds that are wanted. lexicon: words of this
        text alone, above those of the voice.

        Raises:
            TextError: nothing in the text can be spoken, or its markup is refused.
            StyleError: the voice lacks the speaker or emotion, or a number is out of range.
            VoiceError: voice_unsupported, the voice has no symbol for what the text says.
        """
        reading = self._reading(text, style, markup, lexicon)
        known = self._memo.get(reading)
        if known is not None:
            return Plan(iter(known.parts), known.controls, phrases, list(known.unread), marks)
        if markup == "symbols":
            plan = self._planner.symbols(text, reading.style)
        else:
            make = self._planner.ssml if markup == "ssml" else self._planner.plain
            plan = make(front_end(), text, reading.style, reading.lexicon.over(reading.own))
        return replace(self._memo.follow(reading, plan), phrases=phrases, marks=marks)

    def recall(
        self,
        text: str,
        style: Style | None = None,
        *,
        markup: Markup = "text",
        marks: Collection[str] = KINDS,
        lexicon: Lexicon | None = None,
    ) -> Recalled | None:
        """What `stream` would give of this text's plan, if all of it was said before and is in
        memory: at once, in the caller's thread. None: it is not; raises nothing."""
        known = self._memo.get(self._reading(text, style, markup, lexicon))
        if known is None:
            return None
        chunks = self._pipeline.recall(known.parts, known.controls, marks)
        return None if chunks is None else Recalled(chunks, known.unread)

    def _reading(
        self, text: str, style: Style | None, markup: Markup, lexicon: Lexicon | None
    ) -> Reading:
        front, own = front_end(), self.lexicon.lexicon
        words, style = lexicon or NO_WORDS, style or Style()
        if style.speaker is None:  # or named: it is the same reading
            style = replace(style, speaker=self.info.speakers[0])
        return Reading(text, style, markup, words, own, front.lexicon, front.settings)

    def stream(
        self, plan: Plan, cancelled: Cancelled = lambda: False
    ) -> Generator[AudioChunk, None, None]:
        """Audio chunks of the plan as they are made, and marks ahead; see `Pipeline.stream`."""
        return self._pipeline.stream(plan, cancelled)

    def warm_up(self) -> None:
        """Speak a short sentence to nobody, so the first caller does not wait for one-time work.

        Raises:
            VoiceError: voice_broken, a graph fails, or its samples are not numbers.
        """
        for chunk in self.stream(self.plan("你好。", phrases="ignore")):
            if not np.isfinite(chunk.pcm).all():
                raise VoiceError(
                    "voice_broken",
                    f"the graphs of {self.info.name} compute samples that are not numbers; build "
                    "the engines or export the voice again",
                )

    def close(self) -> None:
        """Stop the decoder threads; the voice is of no use afterwards."""
        self._pipeline.close()

    def __enter__(self) -> Voice:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
