"""What a soak has shown: a table for people, figures for machines, a picture of the time."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.soak.rules import Outcome


def table(outcome: Outcome) -> str:
    """Markdown, and under it what was broken."""
    account, stats = outcome.account, outcome.stats
    first, last = outcome.rss_mb
    before, after = outcome.holdings
    judged = "" if outcome.judged else " (too short to judge)"
    rows = {
        "requests": f"{account.said.total()}: {_counts(account.said)}",
        "their ends, as the daemon counts": _counts(stats.ends),
        "refused": _counts(account.refused),
        "errors that were asked for": _counts(account.asked_for),
        "errors nobody asked for": str(account.fault_count),
        "garbage messages": f"{outcome.garbage}",
        "speech made": f"{stats.audio_s:.0f} s in {outcome.seconds:.0f} s",
        "memory in quiet moments, first and second half": f"{first:.0f}, {last:.0f} MB{judged}",
        "memory at most": f"{max((look.rss_mb for look in outcome.looks), default=0.0):.0f} MB",
        "open files, threads at the end": f"{after.files} ({before.files} before), "
        f"{after.threads} ({before.threads})",
        "underruns of the speaker": str(stats.underruns) if outcome.speaker else "no speaker",
        "first audio, p50 and p99": "; ".join(
            f"{sink} {one.p50:.0f}, {one.p99:.0f} ms" for sink, one in outcome.first_ms.items()
        ),
        "status round trip, p50, p99, longest": f"{outcome.status_ms.p50:.1f}, "
        f"{outcome.status_ms.p99:.1f}, {outcome.status_ms.most:.1f} ms",
    }
    lines = ["| | |", "|---|---|", *[f"| {name} | {value} |" for name, value in rows.items()]]
    return "\n".join([*lines, *[f"BROKEN: {line}" for line in outcome.broken]])


def figures(outcome: Outcome) -> dict[str, Any]:
    """All of it, for JSON."""
    account, (first, last) = outcome.account, outcome.rss_mb
    return {
        "seconds": outcome.seconds,
        "speaker": outcome.speaker,
        "said": account.said,
        "ends": outcome.stats.ends,
        "refused": account.refused,
        "errors_asked_for": account.asked_for,
        "errors_not_asked_for": account.fault_count,
        "garbage": outcome.garbage,
        "audio_s": outcome.stats.audio_s,
        "underruns": outcome.stats.underruns,
        "rss_mb": {"quiet_first_half": first, "quiet_second_half": last},
        "first_audio_ms": {sink: asdict(one) for sink, one in outcome.first_ms.items()},
        "status_ms": asdict(outcome.status_ms),
        "broken": outcome.broken,
        "looks": {
            name: [round(asdict(look)[name], 1) for look in outcome.looks]
            for name in ("at_s", "rss_mb", "files", "threads", "in_work", "waiting", "status_ms")
        },
    }


def plot(outcome: Outcome, path: Path) -> None:
    """Memory, and the slowest answer of each second, over the time."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    looks = outcome.looks
    minutes = [look.at_s / 60 for look in looks]
    figure, (memory, answers) = plt.subplots(2, 1, figsize=(8, 4.6), sharex=True)
    memory.plot(minutes, [look.rss_mb for look in looks], linewidth=1)
    memory.set_ylabel("resident memory, MB")
    memory.set_ylim(0, 1.15 * max(look.rss_mb for look in looks))
    answers.plot(minutes, [look.status_ms for look in looks], linewidth=0.8, color="tab:orange")
    answers.set_ylabel("slowest status, ms")
    answers.set_xlabel("minutes")
    for axis in (memory, answers):
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _counts(counter: Counter[str] | dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items())) or "0"
