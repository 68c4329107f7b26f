"""What the audio gate says of a candidate: every sentence's measures held against the limits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from trt_build.audio_measures import has_pesq
from trt_build.limits import Limit

Figures = dict[str, float]


class Verdict(msgspec.Struct, frozen=True):
    """Whether a candidate passed.

    reasons: why it did not, one for each limit that it broke. mean, worst: by measure, those alone
    that could be measured. worst_sentence: index of the one nearest to its limits or furthest
    beyond. strain: how much of what is allowed the worst measure uses up, 1.0 at most if passed.
    sentences: all measures of each. strict: whether the means had to meet the limits that hold
    where PESQ cannot be measured. unmeasured: what could not be measured, and why.
    """

    passed: bool
    reasons: tuple[str, ...]
    mean: Figures
    worst: Figures
    worst_sentence: int
    strain: float
    sentences: tuple[Figures, ...]
    strict: bool = False
    unmeasured: tuple[str, ...] = ()


def verdict(rows: Sequence[Figures], mean: Figures, limits: Mapping[str, Limit]) -> Verdict:
    """Judge sentences by their measures; NaN is what could not be measured.

    A sentence without PESQ must meet the strict limits, and so must the means if more than half of
    the sentences have none.
    """
    deaf = [not math.isfinite(row.get("pesq", math.nan)) for row in rows]
    strict = 2 * sum(deaf) > len(rows)
    reasons: list[str] = []
    worst: Figures = {}
    strains, most = np.zeros(len(rows)), 0.0
    for name, limit in limits.items():
        if name in mean:
            bound = limit.mean_limit(strict)
            most = max(most, limit.strain(mean[name], bound))
            if limit.strain(mean[name], bound) > 1.0:
                reasons.append(_reason(limit, "mean", mean[name], bound))
        values = {
            i: row[name] for i, row in enumerate(rows) if math.isfinite(row.get(name, np.nan))
        }
        if not values:
            continue
        worst[name] = (min if limit.high_is_good else max)(values.values())
        strain = {i: limit.strain(v, limit.worst_limit(deaf[i])) for i, v in values.items()}
        for i, much in strain.items():
            strains[i] = max(strains[i], much)
        at = max(strain, key=lambda i: strain[i])
        if strain[at] > 1.0:
            told = _reason(limit, f"sentence {at + 1}", values[at], limit.worst_limit(deaf[at]))
            others = sum(much > 1.0 for much in strain.values()) - 1
            reasons.append(told + (f" (and {others} more)" if others else ""))
    return Verdict(
        passed=not reasons,
        reasons=tuple(reasons),
        mean=mean,
        worst=worst,
        worst_sentence=int(strains.argmax()),
        strain=max(most, float(strains.max())),
        sentences=tuple({k: v for k, v in row.items() if math.isfinite(v)} for row in rows),
        strict=strict,
        unmeasured=_unmeasured(rows, limits),
    )


def means(rows: Sequence[Figures]) -> Figures:
    """Of each measure, over the sentences that have it."""
    known = {name: [r[name] for r in rows if math.isfinite(r[name])] for name in rows[0]}
    return {name: float(np.mean(values)) for name, values in known.items() if values}


def _reason(limit: Limit, where: str, value: float, bound: float | None) -> str:
    side = "below" if limit.high_is_good else "above"
    digits = limit.digits
    return f"{limit.title}, {where}: {value:.{digits}f} is {side} {bound:.{digits}f}"


def _unmeasured(rows: Sequence[Figures], limits: Mapping[str, Limit]) -> tuple[str, ...]:
    """Of each measure that some sentences lack, how many and why."""
    out = []
    for name, limit in limits.items():
        missing = sum(name in row and not math.isfinite(row[name]) for row in rows)
        if missing and name in _WHY:
            why = _WHY[name] if name != "pesq" or has_pesq() else _NO_PESQ
            out.append(f"{limit.title} in {missing} of {len(rows)} sentences: {why}")
    return tuple(out)


_NO_PESQ = (
    "the package pesq is not installed, so the other measures must meet stricter limits; `pip "
    "install './client' '.[pesq]'` in a checkout compiles it (a C compiler and Python's "
    "headers; see its licence)"
)
_WHY = {
    "pesq": "it finds no speech there; the other measures must meet stricter limits",
    "stoi": "too short, or silent",
    "f0_cents": "no sure pitch there",
}
