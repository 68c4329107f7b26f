"""The commands of `sambertctl` that look after a daemon. Each returns its exit code."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Union

import msgspec

from . import protocol as wire
from .client import Client
from .engine_table import report_lines
from .errors import NoDaemonError, RefusedError
from .launch import connect
from .line import LOOK_S
from .metrics import DOWN, Figures, exposition
from .table import listed as in_lines
from .terminal import Progress, check_read, flush, room

Changed = Union[wire.Cancelled, wire.Paused, wire.Resumed]


def info(options: argparse.Namespace) -> int:
    with connect(options.endpoint, Progress(quiet=options.json)) as client:
        welcome = client.hello()
    if not as_json(welcome, options):
        low, high = welcome.protocol
        limits = welcome.limits
        print(f"{welcome.server} {welcome.server_version}, {welcome.state}, on {options.endpoint}")
        print(f"protocol {low} to {high}, sinks {', '.join(welcome.sinks)}")
        if welcome.role:
            print(f"role of this user or key: {welcome.role}")
        print(
            f"at most {limits.text_chars} characters, {limits.in_work} utterances in work "
            f"and {limits.waiting} waiting"
        )
    return 0


def voices(options: argparse.Namespace) -> int:
    with connect(options.endpoint, Progress(quiet=options.json)) as client:
        listed = client.voices()
    if not as_json(listed, options):
        for voice in listed.voices:
            mark = " (default)" if voice.default else ""
            print(f"{voice.name}{mark}: {voice.language}, {voice.sample_rate} Hz, {voice.licence}")
            for head, names in (("speakers", voice.speakers), ("emotions", voice.emotions)):
                print("\n".join(in_lines(f"  {head}:", names, room())))
        if not listed.voices:
            print("no voice is loaded; `sambertctl status` tells whether one is coming")
        for broken in listed.broken:
            print(f"{broken.path}: {broken.text} ({broken.code})")
    return 0


def status(options: argparse.Namespace) -> int:
    with connect(options.endpoint, Progress(quiet=options.json)) as client:
        status = client.status()
    if as_json(status, options):
        return int(bool(status.stalled))
    sound = status.speaker
    print(f"sambertd {status.server_version}, pid {status.pid}, up {lasting(status.uptime_s)}")
    print(f"{status.state}: {status.detail}")
    print(f"voices: {', '.join(status.voices) or 'none'} ({status.broken_voices} broken)")
    for line in status.engines:
        print(f"engines: {line}")
    if status.stalled:
        print(
            f"STALLED: {status.stalled} gives no sign of life; the service is about to be restarted"
        )
    for line in status.problems:
        print(f"problem: {line}")
    print(f"{status.in_work} in work, {status.waiting} waiting, {status.paused} paused")
    print(
        f"{status.requests} requests: {status.done} spoken, {status.cancelled} cancelled, "
        f"{status.superseded} superseded, {status.failed} failed, {status.refused} refused; "
        f"{status.bad_messages} unreadable"
    )
    if status.ttfa_ms_p50 is not None and status.audio_s:
        rtf = status.synth_s / status.audio_s
        print(f"first audio after {status.ttfa_ms_p50:.0f} ms (p50), real-time factor {rtf:.3f}")
    print(cache_line(status.cache))
    if sound.available:
        print(
            f"speaker: {sound.device}, {sound.rate} Hz, latency {sound.latency_ms:.0f} ms, "
            f"{sound.underruns} underruns, reopened {sound.reopened} times"
        )
    else:
        print(f"no speaker: {sound.reason}")
    return int(bool(status.stalled))


def lasting(seconds: float) -> str:
    """A time in the two largest units that say something."""
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if seconds < 120:
        return f"{seconds:.0f} s"
    if hours < 2:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"


def cache_line(kept: wire.CacheFigures | None) -> str:
    """What is kept of what was said before, for people."""
    if kept is None:
        return "phrases: none are kept"
    found = kept.from_memory + kept.from_disk
    return (
        f"phrases: {kept.in_memory} in memory ({kept.memory_bytes / 2**20:.1f} MiB), "
        f"{kept.on_disk} on disk ({kept.disk_bytes / 2**20:.1f} MiB), "
        f"{found} found, {kept.missed} not"
    )


def engines(options: argparse.Namespace) -> int:
    with connect(options.endpoint, Progress(quiet=options.json)) as client:
        report = client.engines()
    if not as_json(report, options):
        print("\n".join(report_lines(report, datetime.now(timezone.utc))))
    return 0


def cancel(options: argparse.Namespace) -> int:
    return _change(
        options,
        "cancelled",
        lambda it, scope: it.cancel(options.id, scope=scope, priority=options.priority),
    )


def pause(options: argparse.Namespace) -> int:
    return _change(options, "paused", lambda it, scope: it.pause(options.id, scope=scope))


def resume(options: argparse.Namespace) -> int:
    return _change(options, "resumed", lambda it, scope: it.resume(options.id, scope=scope))


def _change(
    options: argparse.Namespace, done: str, change: Callable[[Client, wire.Scope], Changed]
) -> int:
    """Change everybody's utterances, or this user's where it may not; and say which."""
    with connect(options.endpoint, Progress(quiet=options.json)) as client:
        try:
            changed = change(client, "all")
        except RefusedError as refusal:
            if refusal.code != wire.NOT_ALLOWED:
                raise
            changed = change(client, "user")
    if not as_json(changed, options):
        nothing = f"{options.id} is not live" if options.id else "nothing was being said"
        print(f"{done} {len(changed.ids)}: {' '.join(changed.ids) or nothing}")
    return 0


def as_json(message: wire.Message, options: argparse.Namespace) -> bool:
    if options.json:
        fields = msgspec.to_builtins(message)
        facts = {key: value for key, value in fields.items() if key not in ("t", "v", "id")}
        print(json.dumps(facts, ensure_ascii=False))
    return bool(options.json)


def metrics(options: argparse.Namespace) -> int:
    """For Prometheus; also where no daemon answers, which is a figure too. Raises NoDaemonError."""
    try:
        with connect(options.endpoint, Progress(quiet=True)) as client:
            told = exposition(Figures(client.stats(), client.status(), client.engines()))
    except NoDaemonError:
        print(DOWN, end="")
        raise
    print(told, end="")
    return 0


def stats(options: argparse.Namespace) -> int:
    if options.prometheus:
        return metrics(options)
    with connect(options.endpoint, Progress(quiet=options.json)) as client:
        report = client.stats()
    if as_json(report, options):
        return 0
    print(f"up {lasting(report.uptime_s)}, {report.memory_bytes / 2**20:.0f} MiB of memory")
    print(f"{report.requests} requests, {report.bad_messages} unreadable messages")
    for words, counted in (
        ("ended", report.ends),
        ("priorities", report.priorities),
        ("sinks", report.sinks),
        ("codes", report.codes),
    ):
        if counted:
            print(f"{words}: " + ", ".join(f"{counted[key]} {key}" for key in sorted(counted)))
    first = report.ttfa_ms
    if first.p50 is not None and first.p90 is not None and first.p99 is not None:
        times = f"p50 {first.p50:.0f} ms, p90 {first.p90:.0f} ms, p99 {first.p99:.0f} ms"
        print(f"first audio of the last {first.count}: {times}")
        if told := spread_line(report.first_audio_ms, "ms"):
            print(f"first audio of all: {told}")
    if report.audio_s:
        rtf = report.synth_s / report.audio_s
        print(f"{report.audio_s:.1f} s of speech, real-time factor {rtf:.3f}")
    fill, steps = report.batch_fill, sum(report.batch_fill.counts)
    if steps:
        print(f"decoder: {steps} steps, {fill.total / steps:.2f} utterances in each")
    print(cache_line(report.cache))
    print(f"speaker: {report.underruns} underruns, reopened {report.reopened} times")
    print(
        f"events: {report.subscribers} subscribers, {report.events} sent, "
        f"{report.events_dropped} dropped"
    )
    return 0


def spread_line(seen: wire.Histogram, unit: str) -> str:
    """A histogram for people."""
    names = [f"up to {bound:g}" for bound in seen.bounds]
    names += [f"above {bound:g}" for bound in seen.bounds[-1:]]
    found = [f"{n} {name} {unit}" for name, n in zip(names, seen.counts) if n]
    return ", ".join(found)


def events(options: argparse.Namespace) -> int:
    """Print events as they happen, until interrupted or `options.count` were seen."""
    quiet = Progress(quiet=options.json)
    with connect(options.endpoint, quiet) as client, client.subscribe(*options.kind) as happening:
        seen = 0
        while seen != options.count:
            event = happening.next(LOOK_S)
            check_read()
            if event is not None:
                seen += 1
                if not as_json(event, options):
                    print(event_line(event))
                flush()
    return 0


def event_line(event: wire.Event) -> str:
    """An event for people."""
    words = [f"{event.at_s:10.2f}", event.kind]
    if event.utterance is not None:
        words += [event.utterance, f"{event.priority} to {event.sink}"]
    words += [word for word in (event.why, event.code, event.text) if word]
    return " ".join(words)
