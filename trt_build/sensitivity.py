"""Which groups of layers bear INT8: each is tried alone, then as many together as still pass.

A loss that is measured decides, never a layer's name.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import onnx

from engines.errors import EngineError
from trt_build.quantize import Scales, layer_groups, qdq
from trt_build.trial_log import Trial, TrialLog

LOST = 1e9  # the loss of a candidate that cannot speak, or that no number describes


class Verdict(Protocol):
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


@dataclass(frozen=True, slots=True)
class Ear:
    """How candidates are heard.

    score(graph, model): the verdict, such as a ClosedLoop gives. loss(verdict): one number, larger
    is worse. name: of the score with its voice, texts and limits; what the log holds under another
    name does not count.
    """

    score: Callable[[str, onnx.ModelProto], Verdict]
    loss: Callable[[Verdict], float]
    name: str


@dataclass(frozen=True, slots=True)
class Options:
    """scales: of the graphs judged together, as they will be built; a group alone has FP32 around
    it, so that only INT8 is heard. single_rows, residual: see quantize.qdq."""

    scales: Scales = "fp16"
    single_rows: bool = False
    residual: bool = False


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
    model: onnx.ModelProto,
    ranges: Mapping[str, float],
    ear: Ear,
    log: Path,
    options: Options | None = None,
    told: Callable[[Trial], None] = lambda _: None,
) -> Choice:
    """Choose the groups of one graph that run in INT8.

    Groups that fail alone are given up at once, then one at a time the group that loses most alone,
    until those that are left pass together. told: each trial, measured now or known from `log`.

    Raises:
        BuildError: range_missing.
        OSError: the log cannot be written.
    """
    bench = _Bench(model, ranges, ear, TrialLog(log), options or Options())
    alone = []
    for name in bench.groups:
        alone.append(bench.trial((name,), "fp32"))
        told(alone[-1])
    alone.sort(key=lambda trial: (trial.passed, -trial.loss))
    dropped = [trial.groups[0] for trial in alone if not trial.passed]
    left = [trial.groups[0] for trial in alone if trial.passed]
    best = None
    while left and best is None:
        trial = bench.trial([name for name in bench.groups if name in left], bench.options.scales)
        told(trial)
        if trial.passed:
            best = trial
        else:
            dropped.append(left.pop(0))
    groups = best.groups if best else ()
    return Choice(model.graph.name, groups, tuple(dropped), tuple(alone), best)


class _Bench:
    """Tries groups of one graph."""

    def __init__(
        self,
        model: onnx.ModelProto,
        ranges: Mapping[str, float],
        ear: Ear,
        log: TrialLog,
        options: Options,
    ) -> None:
        self._model, self._ranges, self._ear, self._log = model, ranges, ear, log
        self.options = options
        self.groups = tuple(layer_groups(model, single_rows=options.single_rows))
        digest = hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
        self._made_of = (digest, dict(ranges), ear.name, options.single_rows, options.residual)

    def trial(self, groups: Collection[str], scales: Scales) -> Trial:
        """Known or measured."""
        made_of = (*self._made_of, sorted(groups), scales)
        data = msgspec.json.encode(made_of, order="deterministic")
        key = hashlib.sha256(data).hexdigest()
        return self._log.get(key) or self._measured(key, groups, scales)

    def _measured(self, key: str, groups: Collection[str], scales: Scales) -> Trial:
        start, options = time.monotonic(), self.options
        candidate = qdq(
            self._model,
            self._ranges,
            groups,
            scales,
            single_rows=options.single_rows,
            residual=options.residual,
        )
        trial = self._heard(
            Trial(key, self._model.graph.name, tuple(groups), LOST, False), candidate
        )
        seconds = round(time.monotonic() - start, 2)
        trial = msgspec.structs.replace(trial, seconds=seconds)
        self._log.add(trial)
        return trial

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
