"""The audio gate: whether a candidate sounds as FP32 does, on sentences no calibration has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from engines.session import Floats
from engines.voice import Voice
from trt_build.audio_measures import Sound, compare
from trt_build.errors import BuildError
from trt_build.limits import LIMITS, Limit
from trt_build.verdict import Verdict, means, verdict

HELD_OUT = Path(__file__).with_name("held_out.txt")

Say = Callable[[str], None]


def held_out() -> list[str]:
    """The sentences the gate listens to, one text each; calibration.txt has none of them."""
    return HELD_OUT.read_text("utf-8").splitlines()


def speak(voice: Voice, texts: Sequence[str], say: Say = lambda _: None) -> list[Floats]:
    """Whole utterances (n,), mono, as they leave the voice; `say` hears how far it is.

    Raises:
        EngineError: the voice cannot say one of the texts.
    """
    out = []
    for number, text in enumerate(texts, 1):
        chunks = [chunk.pcm for chunk in voice.stream(voice.plan(text))]
        out.append(np.concatenate(chunks) if chunks else np.zeros(0, np.float32))
        if number % 8 == 0 or number == len(texts):
            say(f"{number} of {len(texts)} spoken")
    return out


def verify_voices(
    reference: Voice,
    candidate: Voice,
    texts: Sequence[str],
    limits: Mapping[str, Limit] = LIMITS,
    say: Say = lambda _: None,
) -> Verdict:
    """Two loaded voices, each at its own pace.

    Where one rounds a duration to another number of frames that sentence becomes another reading,
    and fails. `trt_build.gate.Gate` gives both the same durations and is what graphs are judged by.

    Raises:
        BuildError, EngineError: as `judge` and `speak`.
    """
    rates = {voice.info.sample_rate for voice in (reference, candidate)}
    if len(rates) > 1:
        raise BuildError("not_comparable", f"the voices speak at {sorted(rates)} Hz; export again")
    spoken = [speak(voice, texts, say) for voice in (reference, candidate)]
    return judge(spoken[0], spoken[1], rates.pop(), limits)


def judge(
    reference: Sequence[Floats],
    candidate: Sequence[Floats],
    rate: int,
    limits: Mapping[str, Limit] = LIMITS,
    durations_ms: Sequence[tuple[float, float]] | None = None,
) -> Verdict:
    """A candidate's utterances against FP32's, mono at `rate` Hz, in the same order.

    durations_ms: of each sentence, by how much its symbols' durations changed, mean and most.

    Raises:
        BuildError: not_comparable, prove_missing.
    """
    if not reference or len(reference) != len(candidate):
        raise BuildError(
            "not_comparable",
            f"{len(reference)} utterances cannot be compared with {len(candidate)}; speak the same "
            "texts, one at least",
        )
    if any(not len(wave) or not np.isfinite(wave).all() for wave in reference):
        raise BuildError(
            "not_comparable", "FP32 itself says nothing or NaN; export the voice again"
        )
    rows = [
        compare(_sound(wave.tobytes(), rate), Sound(other, rate))
        for wave, other in zip(reference, candidate, strict=True)
    ]
    mean_of = means(rows)
    for row, (mean, most) in zip(rows, durations_ms or (), strict=bool(durations_ms)):
        row["duration_ms"] = most
        mean_of["duration_ms"] = mean_of.get("duration_ms", 0.0) + mean / len(rows)
    return verdict(rows, mean_of, limits)


@lru_cache(maxsize=64)
def _sound(wave: bytes, rate: int) -> Sound:
    """The same reference is judged against many candidates."""
    return Sound(np.frombuffer(wave, np.float32), rate)
