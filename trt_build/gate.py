"""Graphs of one voice against its own FP32, heard at equal durations."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engines.ort_session import OrtSession
from engines.pack import GRAPHS, VoicePack
from engines.session import Floats, Session
from engines.voice import RuntimeOptions, Voice
from trt_build.errors import BuildError
from trt_build.limits import LIMITS, Limit
from trt_build.pace import Log, Replayed, Taped, change_ms
from trt_build.verdict import Verdict
from trt_build.verify import Say, held_out, judge, speak

PACED_BY = ("encoder", "duration_step")  # the graphs that durations depend on
STEP = "duration_step"


@dataclass(frozen=True, slots=True)
class Heard:
    """What was compared: whole utterances of FP32 and of the candidate, in the order of texts."""

    verdict: Verdict
    reference: list[Floats]
    candidate: list[Floats]


class Gate:
    """Judges candidate graphs of one voice; FP32 is loaded once, and spoken once where it can be.

    If a candidate has a part in the durations, FP32 speaks again with the candidate's, and the
    durations are judged by themselves.
    """

    def __init__(
        self,
        pack: VoicePack,
        texts: Sequence[str] | None = None,
        *,
        limits: Mapping[str, Limit] = LIMITS,
        options: RuntimeOptions | None = None,
        say: Say = lambda _: None,
    ) -> None:
        """Load FP32. texts: the held-out sentences unless others are given; say: hears progress.

        Raises:
            VoiceError: voice_broken.
        """
        self.texts = held_out() if texts is None else list(texts)
        self._pack, self._limits, self._say = pack, limits, say
        self._options = options or RuntimeOptions()
        self._fp32: dict[str, Session] = {
            name: OrtSession(path, self._options.threads(name))
            for name, path in pack.graphs.items()
        }
        self._own: tuple[list[Floats], list[Log]] | None = None

    def judge(self, engines: Mapping[str, Session]) -> Verdict:
        """The verdict on these graphs, by name, with FP32 for the others.

        Raises:
            BuildError: candidate_unknown, not_comparable, prove_missing.
            EngineError: a graph does not take what its voice gives it.
        """
        return self.hear(engines).verdict

    def hear(self, engines: Mapping[str, Session]) -> Heard:
        """The same, with what was compared; raises the same."""
        unknown = sorted(set(engines) - set(GRAPHS))
        if unknown:
            raise BuildError(
                "candidate_unknown",
                f"a voice has no graph {', '.join(unknown)}; it has {', '.join(GRAPHS)}",
            )
        reference, tapes = self._reference()
        candidate, theirs, tape = self._spoken(engines, "the candidate")
        if set(engines).isdisjoint(PACED_BY):
            changes = [(0.0, 0.0)] * len(self.texts)
        else:
            reference, *_ = self._spoken({STEP: Replayed(tape)}, "FP32 at the candidate's pace")
            frame_ms = 1000.0 * self._pack.file.hop_length / self._pack.file.sample_rate
            changes = change_ms(tapes, theirs, frame_ms)
        self._say("measuring")
        rate = self._pack.file.sample_rate
        verdict = judge(reference, candidate, rate, self._limits, changes)
        return Heard(verdict, reference, candidate)

    def _reference(self) -> tuple[list[Floats], list[Log]]:
        if self._own is None:
            waves, logs, _ = self._spoken({}, "FP32")
            self._own = waves, logs
        return self._own

    def _spoken(
        self, engines: Mapping[str, Session], who: str
    ) -> tuple[list[Floats], list[Log], Taped]:
        """All texts by FP32 with some graphs replaced; with what `duration_step` answered."""
        sessions = {**self._fp32, **engines}
        tape = Taped(sessions[STEP])
        sessions[STEP] = tape
        waves, logs, begun = [], [], 0
        with Voice(self._pack, self._options, sessions) as voice:
            for number, text in enumerate(self.texts, 1):
                waves += speak(voice, [text])
                logs.append(tape.answers[begun:])
                begun = len(tape.answers)
                if number % 8 == 0 or number == len(self.texts):
                    self._say(f"{who}: {number} of {len(self.texts)} sentences spoken")
        return waves, logs, tape


class LateGate:
    """A gate that loads FP32 only once something is to be judged."""

    def __init__(self, pack: VoicePack, texts: Sequence[str], say: Say) -> None:
        self._pack, self._texts, self._say = pack, texts, say
        self._gate: Gate | None = None

    def __call__(self, engines: Mapping[str, Session]) -> Verdict:
        """See Gate.judge."""
        if self._gate is None:
            self._gate = Gate(self._pack, self._texts, say=self._say)
        return self._gate.judge(engines)


def judged(texts: Sequence[str]) -> str:
    """SHA-256 of all a verdict depends on besides the graphs."""
    return hashlib.sha256(repr((list(texts), sorted(LIMITS.items()))).encode()).hexdigest()
