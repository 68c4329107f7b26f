"""docs/LATENCY.md, from the figures that were kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.latency.streams import Run, most

HEAD = """\
# How soon

Written by `make bench-live`, from daemons as they are run: processes of their own, with the
built-in voice, clients over the socket. Milliseconds unless something else is said. Speed varies
with the machine and with what else it does: compare figures of one table. Each says where and when
it was measured; figures: [latency.json](../benchmarks/results/latency.json).
"""
FIRST = """\
From sending `say` to the first audio, as its client sees it; nothing comes from the cache. Busy
clients say one sentence after another. Where as many are in work as `[limits] in_work` lets in, a
spare place gives the newcomer its first audio.
"""
START = """\
`accepted.start_s` against the first audio: medians in seconds. *Good*: predicted within a factor
of 2, or 0.3 s.
"""
CLIENT = "A stream to a client: from sending `cancel` to `done`, after which nothing comes."
SPEAKER = """\
The speaker: from sending `cancel` to the last sample that a PulseAudio without a card plays, the
fade of 8 ms included. Its device says that it holds {device:.0f} ms; wanted are 20 ms more, and the
recorder's own delay is in the figures. The voice hums, as a real one might be cancelled in a pause.
"""
STREAMS = """\
So many clients say four sentences each at the same moment. *Buffer*: how long after its first audio
each would have to begin to play, so that no piece ever comes too late. *Speed*: seconds of speech
made per second, all streams together. *Together*: in decoder batches, as the daemon does; *apart*:
each utterance its own steps.
"""
TRIPS = """\
No load holds up the loop for long: files are read and hashed, and sessions are made, without
Python's lock. So what is slower then is the machine's, which has more threads than cores for it.
"""
BUFFERS_MS = (100.0, 500.0)


def page(parts: Mapping[str, Any]) -> str:
    """Markdown; parts as in latency.json, those that were never measured are left out."""
    sections = {
        "first": ("First audio", _first),
        "start": ("First audio, predicted", _start),
        "cancel": ("Cancel", _cancel),
        "streams": ("Streams at once", _streams),
        "trips": ("Round trip", _trips),
    }
    written = [HEAD]
    for name, (title, body) in sections.items():
        if name in parts:
            written += [f"## {title}\n", _where(parts[name]), "\n".join(body(parts[name])), ""]
    return "\n".join(written)


def _where(part: Mapping[str, Any]) -> str:
    machine = part["machine"]
    place = f"{machine['processor']}, {machine['cores']} cores, {machine['date']}"
    return f"{place}; load average of other work when it began: {part['load']:.1f}.\n"


def _spreads(spreads: Mapping[str, Any]) -> Iterator[str]:
    yield from ("| | p50 | p99 | longest | of |", "|---|---|---|---|---|")
    for name, it in spreads.items():
        yield f"| {name} | {it['p50']:.1f} | {it['p99']:.1f} | {it['most']:.1f} | {it['count']} |"


def _first(part: Mapping[str, Any]) -> Iterator[str]:
    yield FIRST
    yield from _spreads(part["ms"])


def _start(part: Mapping[str, Any]) -> Iterator[str]:
    yield START
    yield from ("| | predicted | came after | good |", "|---|---|---|---|")
    for name, it in part["cases"].items():
        times = f"{it['predicted_s']:.2f} | {it['real_s']:.2f}"
        yield f"| {name} | {times} | {it['good']} of {it['count']} |"


def _cancel(part: Mapping[str, Any]) -> Iterator[str]:
    yield from (CLIENT, "")
    speaker, rows = part["speaker"], {"client's stream": part["client"]}
    if speaker is not None:
        yield SPEAKER.format(device=speaker["device_ms"])
        rows["speaker"] = speaker["last_sample"]
        late = {k: v - speaker["device_ms"] for k, v in rows["speaker"].items() if k != "count"}
        rows["speaker, less what its device holds"] = {**rows["speaker"], **late}
    yield from _spreads(rows)


def _streams(part: Mapping[str, Any]) -> Iterator[str]:
    yield STREAMS
    ways = {way: [Run(**run) for run in runs] for way, runs in part["runs"].items()}
    yield "| streams | buffer, together | apart | speed, together | apart | gain |"
    yield "|---|---|---|---|---|---|"
    for one, other in zip(ways["together"], ways["apart"], strict=True):
        yield (
            f"| {one.streams} | {one.buffer_ms:.0f} | {other.buffer_ms:.0f} | {one.faster:.1f} "
            f"| {other.faster:.1f} | **{one.faster / other.faster:.2f}x** |"
        )
    yield ""
    for buffer_ms in BUFFERS_MS:
        together, apart = (most(ways[way], buffer_ms) for way in ("together", "apart"))
        yield (
            f"With a buffer of {buffer_ms:.0f} ms, {together} of these streams at once never wait "
            f"in batches, {apart} without."
        )


def _trips(part: Mapping[str, Any]) -> Iterator[str]:
    yield TRIPS
    yield from _spreads(part["ms"])
