"""FP32 made to speak at a candidate's pace, so that the two can be compared moment by moment.

The smallest error in a predicted duration can round to another number of frames. From there on the
decoder's steps of several frames fall differently, and the same voice gives the same sentence
another reading: just as good, but no measure that compares moments can tell. So durations are
judged as durations, and sound at equal durations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from engines.session import Array, Session
from trt_build.errors import BuildError

Log = list[dict[str, Array]]


class Taped:
    """A session that keeps what it answered, call by call."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.answers: Log = []

    @property
    def state_size(self) -> int:
        """Of the session behind it."""
        return self._session.state_size

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The session's answer."""
        out = self._session.run(feeds)
        self.answers.append(out)
        return out


class Replayed:
    """A session that gives the answers of a tape again, whatever it is asked."""

    def __init__(self, tape: Taped) -> None:
        self._tape, self._next = tape, 0

    @property
    def state_size(self) -> int:
        """Of the session that was taped."""
        return self._tape.state_size

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The next answer.

        Raises:
            BuildError: tape_ended, the text is not the one that was taped.
        """
        if self._next == len(self._tape.answers):
            raise BuildError("tape_ended", "more is spoken than was taped; speak the same texts")
        self._next += 1
        return self._tape.answers[self._next - 1]


def frames(answers: Log) -> npt.NDArray[np.float64]:
    """Frames (T,) per symbol, not rounded, of what `duration_step` answered."""
    logs = np.array([float(answer["log_duration"][0, 0]) for answer in answers])
    out: npt.NDArray[np.float64] = np.expm1(np.clip(logs, -20.0, 20.0))
    return out


def change_ms(
    reference: Sequence[Log], candidate: Sequence[Log], frame_ms: float
) -> list[tuple[float, float]]:
    """Of each text, by how many ms a symbol's duration changed: mean and most."""
    out = []
    for ours, theirs in zip(reference, candidate, strict=True):
        gap = np.abs(frames(theirs) - frames(ours)) * frame_ms
        out.append((float(gap.mean()), float(gap.max())))
    return out
