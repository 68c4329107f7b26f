"""Figures of a daemon in the text format that Prometheus reads.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal, Union

from . import protocol as wire

Number = Union[int, float]
Sample = tuple[dict[str, str], Number]  # labels, value
DOWN = "# TYPE sambertd_up gauge\nsambertd_up 0\n"


def exposition(
    stats: wire.StatsReport, status: wire.StatusReport, engines: wire.EngineReport
) -> str:
    """All metrics, of a daemon that has answered."""
    families = (*_now(stats, status), *_counted(stats), *_cached(stats), *_engines(engines))
    return "".join(families)


def _now(stats: wire.StatsReport, status: wire.StatusReport) -> Iterator[str]:
    yield _one("up", "gauge", "whether the daemon answers", 1)
    yield _one("ready", "gauge", "whether it can speak", int(status.state == "ready"))
    yield _one("uptime_seconds", "gauge", "since it started", stats.uptime_s)
    yield _one("memory_bytes", "gauge", "resident", stats.memory_bytes)
    yield _one("in_work", "gauge", "utterances being made or played", status.in_work)
    yield _one("waiting", "gauge", "utterances that have had no turn yet", status.waiting)
    yield _one("paused", "gauge", "utterances that are held", status.paused)
    yield _one("voices", "gauge", "voices that speak", len(status.voices))
    yield _one("broken_voices", "gauge", "packs that cannot be loaded", status.broken_voices)
    yield _one("problems", "gauge", "settings and lexicons not taken", len(status.problems))
    sounds = int(status.speaker.available)
    yield _one("speaker_available", "gauge", "whether there is a sound device", sounds)
    first = stats.ttfa_ms
    named = {"0.5": first.p50, "0.9": first.p90, "0.99": first.p99}
    times: list[Sample] = [
        ({"quantile": name}, ms / 1000) for name, ms in named.items() if ms is not None
    ]
    told = f"from say to first audio, of the last {first.count}"
    yield _family("first_audio_seconds", "gauge", told, times)


def _counted(stats: wire.StatsReport) -> Iterator[str]:
    yield _one("requests_total", "counter", "say", stats.requests)
    for name, label, words, counts in (
        ("ended", "why", "accepted requests that have ended", stats.ends),
        ("errors", "code", "errors of say, refused and accepted", stats.codes),
        ("priority", "priority", "accepted requests", stats.priorities),
        ("sink", "sink", "accepted requests", stats.sinks),
    ):
        samples: list[Sample] = [({label: key}, counts[key]) for key in sorted(counts)]
        yield _family(f"{name}_total", "counter", words, samples)
    for name, words, value in (
        ("speech_seconds", "of audio handed to its sink", stats.audio_s),
        ("synthesis_seconds", "the engine worked; over speech_seconds: RTF", stats.synth_s),
        ("underruns", "times the sound card ran dry", stats.underruns),
        ("speaker_reopened", "times the sound card was lost and came back", stats.reopened),
        ("bad_messages", "messages that could not be read", stats.bad_messages),
        ("events", "sent to subscribers", stats.events),
        ("events_dropped", "that a subscriber read too slowly for", stats.events_dropped),
    ):
        yield _one(f"{name}_total", "counter", words, value)


def _cached(stats: wire.StatsReport) -> Iterator[str]:
    cache = stats.cache
    if cache is None:
        return
    looked: list[Sample] = [
        ({"found": "memory"}, cache.from_memory),
        ({"found": "disk"}, cache.from_disk),
        ({"found": "no"}, cache.missed),
    ]
    yield _family("cache_phrases_total", "counter", "phrases looked for", looked)
    kept = {"memory": cache.memory_bytes, "disk": cache.disk_bytes}
    held: list[Sample] = [({"in": where}, size) for where, size in kept.items()]
    yield _family("cache_bytes", "gauge", "of phrases kept", held)


def _engines(report: wire.EngineReport) -> Iterator[str]:
    graphs = [(voice.voice, graph) for voice in report.voices for graph in voice.graphs]
    runs: list[Sample] = [
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
    builds: list[Sample] = [({"voice": v.voice, "state": v.build.state}, 1) for v in report.voices]
    yield _family("build", "gauge", "the state of each voice's build", builds)
    yield _one("gpu_bytes", "gauge", "that engines hold on the GPU", report.device_bytes)


def _one(name: str, kind: Literal["gauge", "counter"], words: str, value: Number) -> str:
    return _family(name, kind, words, [({}, value)])


def _family(name: str, kind: Literal["gauge", "counter"], words: str, samples: list[Sample]) -> str:
    """A metric with all its samples; nothing where there are none."""
    if not samples:
        return ""
    lines = [f"# HELP sambertd_{name} {words}", f"# TYPE sambertd_{name} {kind}"]
    for labels, value in samples:
        inner = ",".join(f"{key}={_quoted(text)}" for key, text in labels.items())
        lines.append(f"sambertd_{name}{f'{{{inner}}}' if inner else ''} {value!r}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A label's value: backslash, quote and line break are escaped as in JSON."""
    return json.dumps(text, ensure_ascii=False)
