"""Which groups of layers bear INT8: each is tried alone, then as many together as still pass.

A loss that is measured decides, never a layer's name.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec
import onnx

from engines.errors import EngineError
from trt_build.forms import Form
from trt_build.trial_log import Trial, TrialLog

LOST = 1e9  # the loss of a candidate that cannot speak, or that no number describes


class Heard(Protocol):
    """What a judge says of a candidate's sound against FP32's.

    mean and worst: measures by name, over all texts and of the worst one. reasons: why not passed.
    """

    @property
    def passed(self) -> bool: ...
    @property
    def reasons(self) -> Sequence[str]: ...
    @property
    def mean(self) -> Mapping[str, float]: ...
    @property
    def worst(self) -> Mapping[str, float]: ...


V = TypeVar("V", bound=Heard)


@dataclass(frozen=True, slots=True)
class Ear(Generic[V]):
    """How candidates are heard.

    score(graph, model): the verdict,. loss(verdict): one number, larger
    is worse. name: of the score with its voice, texts and limits; what the log holds under another
    name does not count.
    """

    score: Callable[[str, onnx.ModelProto], V]
    loss: Callable[[V], float]
    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What a search found for one graph.

    groups: those for INT8, in the graph's order; none if nothing passes. alone: every group by
    itself, the worst first. dropped: those that stay in floating point, as they were given up.
    best: `groups` together; None if there are none.
    """

    graph: str
    groups: tuple[str, ...]
    dropped: tuple[str, ...]
    alone: tuple[Trial, ...]
    best: Trial | None


def search(
    form: Form,
    ear: Ear[V],
    log: Path,
    told: Callable[[Trial], None] = lambda _: None,
    *,
    rank: bool = True,
) -> Choice:
    """Choose the groups of one graph that run in INT8.

    Groups that fail alone are given up at once, then one at a time the group that loses most alone,
    until those that are left pass together. told: each trial, measured now or known from `log`.
    rank: False spares the trials of single groups where all groups together pass.

    Raises:
        BuildError: range_missing, rung_unsupported.
        OSError: the log cannot be written.
    """
    bench = _Bench(form, ear, TrialLog(log), told)
    graph = form.model.graph.name
    if not rank and form.groups:
        whole = bench.trial(form.groups)
        if whole.passed:
            return Choice(graph, whole.groups, (), (), whole)
    alone = [bench.trial([name], alone=True) for name in form.groups]
    alone.sort(key=lambda trial: (trial.passed, -trial.loss))
    dropped = [trial.groups[0] for trial in alone if not trial.passed]
    left = [trial.groups[0] for trial in alone if trial.passed]
    best = None
    while left and best is None:
        trial = bench.trial([name for name in form.groups if name in left])
        if trial.passed:
            best = trial
        else:
            dropped.append(left.pop(0))
    groups = best.groups if best else ()
    return Choice(graph, groups, tuple(dropped), tuple(alone), best)


class _Bench(Generic[V]):
    """Tries groups of one graph."""

    def __init__(
        self, form: Form, ear: Ear[V], log: TrialLog, told: Callable[[Trial], None]
    ) -> None:
        self._form, self._ear, self._log, self._told = form, ear, log, told

    def trial(self, groups: Sequence[str], *, alone: bool = False) -> Trial:
        """Known or measured."""
        data = msgspec.json.encode((self._form.key, self._ear.name, sorted(groups), alone))
        key = hashlib.sha256(data).hexdigest()
        trial = self._log.get(key)
        if trial is None:
            trial = self._measured(key, groups, alone)
            self._log.add(trial)
        self._told(trial)
        return trial

    def _measured(self, key: str, groups: Sequence[str], alone: bool) -> Trial:
        start, form = time.monotonic(), self._form
        candidate = form.alone(groups[0]) if alone else form.together(groups)
        trial = self._heard(
            Trial(key, form.model.graph.name, tuple(groups), LOST, False), candidate
        )
        return msgspec.structs.replace(trial, seconds=round(time.monotonic() - start, 2))

    def _heard(self, trial: Trial, candidate: onnx.ModelProto) -> Trial:
        try:
            verdict = self._ear.score(trial.graph, candidate)
        except EngineError as error:
            return msgspec.structs.replace(trial, reasons=(str(error),))
        loss = self._ear.loss(verdict)
        return msgspec.structs.replace(
            trial,
            loss=loss if math.isfinite(loss) else LOST,
            passed=verdict.passed,
            reasons=tuple(verdict.reasons),
            mean=_numbers(verdict.mean),
            worst=_numbers(verdict.worst),
        )


def _numbers(measures: Mapping[str, float]) -> dict[str, float]:
    """Those that JSON can hold."""
    return {name: float(x) for name, x in measures.items() if math.isfinite(x)}
