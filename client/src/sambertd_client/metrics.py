"""Figures of a daemon as metrics of Prometheus: their names, and the text format it reads.

The daemon serves the same families itself. A histogram's buckets are cumulative:
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any, Literal, NamedTuple, Union, get_args

from . import protocol as wire

Number = Union[int, float]
Kind = Literal["gauge", "counter", "histogram"]
Labelled = list[tuple[dict[str, str], Number]]  # labels, value
PARTS = ("engine", "speaker")  # that `status_report.stalled` may name
DOWN = "# TYPE sambertd_up gauge\nsambertd_up 0\n"


class Figures(NamedTuple):
    """What a daemon has answered."""

    stats: wire.StatsReport
    status: wire.StatusReport
    engines: wire.EngineReport


class Sample(NamedTuple):
    """name: its family's, with what its kind adds to it."""

    name: str
    labels: dict[str, str]
    value: Number


class Family(NamedTuple):
    """A metric with all its samples. name: without what its kind adds."""

    name: str
    kind: Kind
    words: str
    samples: list[Sample]


def families(figures: Figures) -> list[Family]:
    """All metrics that have a sample."""
    stats, status, engines = figures
    made = (*_now(stats, status), *_counted(stats), *_spread(stats), *_cached(stats))
    return [family for family in (*made, *_engines(engines)) if family.samples]


def exposition(figures: Figures) -> str:
    """The same as text."""
    return "".join(_written(family) for family in families(figures))


def _now(stats: wire.StatsReport, status: wire.StatusReport) -> Iterator[Family]:
    for name, words, value in (
        ("up", "whether the daemon answers", 1),
        ("ready", "whether it can speak", int(status.state == "ready")),
        ("uptime_seconds", "since it started", stats.uptime_s),
        ("memory_bytes", "resident", stats.memory_bytes),
        ("in_work", "utterances being made or played", status.in_work),
        ("waiting", "utterances that have had no turn yet", status.waiting),
        ("paused", "utterances that are held", status.paused),
        ("voices", "voices that speak", len(status.voices)),
        ("broken_voices", "packs that cannot be loaded", status.broken_voices),
        ("problems", "settings and lexicons not taken", len(status.problems)),
        ("subscribers", "connections that are told of events", stats.subscribers),
        (
            "speaker_available",
            "whether there is a sound device",
            int(status.speaker.available),
        ),
    ):
        yield _family(name, "gauge", words, [({}, value)])
    stalled: Labelled = [({"part": part}, int(status.stalled == f"the {part}")) for part in PARTS]
    yield _family("stalled", "gauge", "whether it gives no sign of life", stalled)


def _counted(stats: wire.StatsReport) -> Iterator[Family]:
    for name, words, value in (
        ("requests", "say", stats.requests),
        ("speech_seconds", "of audio handed to its sink", stats.audio_s),
        ("synthesis_seconds", "the engine worked; over speech_seconds: RTF", stats.synth_s),
        ("underruns", "times the sound card ran dry", stats.underruns),
        ("speaker_reopened", "times the sound card was lost and came back", stats.reopened),
        ("bad_messages", "messages that could not be read", stats.bad_messages),
        ("events", "sent to subscribers", stats.events),
        ("events_dropped", "that a subscriber read too slowly for", stats.events_dropped),
    ):
        yield _family(name, "counter", words, [({}, value)])
    for name, label, words, known, counts in (
        ("ended", "why", "accepted requests that have ended", wire.Why, stats.ends),
        ("priority", "priority", "accepted requests", wire.Priority, stats.priorities),
        ("sink", "sink", "accepted requests", wire.Sink, stats.sinks),
        ("errors", "code", "errors of say, refused and accepted", None, stats.codes),
    ):
        yield _family(name, "counter", words, _by(label, known, counts))


def _by(label: str, known: Any, counts: Mapping[str, int]) -> Labelled:
    """Counts by a word; 0 for those of a Literal that were not seen, so that a first one counts."""
    seen = {**dict.fromkeys(get_args(known), 0), **counts}
    return [({label: key}, seen[key]) for key in sorted(seen)]


def _spread(stats: wire.StatsReport) -> Iterator[Family]:
    yield _histogram("first_audio_seconds", "from say to first audio", stats.first_audio_ms, 1000)
    yield _histogram("batch_fill", "utterances that shared a decoder step", stats.batch_fill)


def _cached(stats: wire.StatsReport) -> Iterator[Family]:
    cache = stats.cache
    if cache is None:
        return
    looked: Labelled = [
        ({"found": "memory"}, cache.from_memory),
        ({"found": "disk"}, cache.from_disk),
        ({"found": "no"}, cache.missed),
    ]
    yield _family("cache_phrases", "counter", "phrases looked for", looked)
    kept = {"memory": cache.memory_bytes, "disk": cache.disk_bytes}
    held: Labelled = [({"in": where}, size) for where, size in kept.items()]
    yield _family("cache_bytes", "gauge", "of phrases kept", held)


def _engines(report: wire.EngineReport) -> Iterator[Family]:
    graphs = [(voice.voice, graph) for voice in report.voices for graph in voice.graphs]
    runs: Labelled = [
        (
            {
                "voice": voice,
                "graph": graph.graph,
                "backend": graph.backend,
                "precision": graph.precision,
            },
            int(not graph.lost),
        )
        for voice, graph in graphs
    ]
    yield _family("engine", "gauge", "what runs each graph; 0: the GPU has failed", runs)
    builds: Labelled = [({"voice": v.voice, "state": v.build.state}, 1) for v in report.voices]
    yield _family("build", "gauge", "the state of each voice's build", builds)
    held: Labelled = [({}, report.device_bytes)]
    yield _family("gpu_bytes", "gauge", "that engines hold on the GPU", held)


def _family(name: str, kind: Literal["gauge", "counter"], words: str, values: Labelled) -> Family:
    name = f"sambertd_{name}"
    sampled = f"{name}_total" if kind == "counter" else name
    return Family(name, kind, words, [Sample(sampled, *value) for value in values])


def _histogram(name: str, words: str, seen: wire.Histogram, per_unit: int = 1) -> Family:
    """per_unit: what the bounds are divided by."""
    name = f"sambertd_{name}"
    samples: list[Sample] = []
    if seen.bounds:
        bounds = [*(repr(float(bound / per_unit)) for bound in seen.bounds), "+Inf"]
        upto = list(accumulate(seen.counts))
        pairs = zip(bounds, upto)
        samples = [Sample(f"{name}_bucket", {"le": bound}, count) for bound, count in pairs]
        samples.append(Sample(f"{name}_sum", {}, seen.total / per_unit))
        samples.append(Sample(f"{name}_count", {}, upto[-1]))
    return Family(name, "histogram", words, samples)


def _written(family: Family) -> str:
    head = f"{family.name}_total" if family.kind == "counter" else family.name
    lines = [f"# HELP {head} {family.words}", f"# TYPE {head} {family.kind}"]
    for name, labels, value in family.samples:
        inner = ",".join(f"{key}={_quoted(text)}" for key, text in labels.items())
        lines.append(f"{name}{f'{{{inner}}}' if inner else ''} {value!r}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A label's value: backslash, quote and line break are escaped as in JSON."""
    return json.dumps(text, ensure_ascii=False)
