"""What the daemon tells of itself, as messages."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sambertd_client import protocol as wire

from daemon.config import Limits
from daemon.events import Events
from daemon.memory import resident_bytes
from daemon.playback import Speaker
from daemon.scheduler import Scheduler
from daemon.stats import Stats
from daemon.voices import Shelf
from engines.histogram import Histogram

# what not every daemon of protocol 1 has: docs/PROTOCOL.md
CAPABILITIES = (
    "priority",
    "key",
    "load",
    "reload",
    "lexicon",
    "deadline",
    "rate",
    "append",
    "pause",
    "held",
    "marks",
    "progress",
    "warnings",
    "ssml",
    "symbols",
    "stats",
    "events",
    "cache",
    "prefetch",
    "access",
    "tone",
)


@dataclass(slots=True)
class Life:
    """This start of the daemon, and where in its life it is."""

    version: str
    state: wire.State = "loading"
    detail: str = "loading voices"
    started: float = field(default_factory=time.monotonic)
    instance: str = field(default_factory=lambda: os.urandom(8).hex())
    stalled: str = ""  # the part that gives no sign of life, while systemd is not told of any


def welcome(
    request_id: str,
    life: Life,
    shelf: Shelf,
    limits: Limits,
    speaker: Speaker,
    live: list[str],
    role: str,
) -> wire.Welcome:
    return wire.Welcome(
        id=request_id,
        server="sambertd",
        server_version=life.version,
        instance=life.instance,
        protocol=(wire.PROTOCOL_MIN, wire.PROTOCOL_MAX),
        state=life.state,
        formats=[wire.FORMAT, "f32le"],
        sinks=["client", "speaker"] if speaker.state.available else ["client"],
        rates=(wire.MIN_RATE, wire.MAX_RATE),
        capabilities=list(CAPABILITIES),
        voices=list(shelf.voices),
        limits=wire.Limits(
            text_chars=limits.text_chars,
            in_work=limits.in_work,
            waiting=limits.waiting,
            frame_bytes=wire.MAX_FRAME_BYTES,
            credit=wire.MAX_CREDIT,
            stall_s=limits.stall_s,
            per_client=limits.per_client,
            per_user=limits.per_user,
            requests_per_s=limits.requests_per_s,
            chars_per_min=limits.chars_per_min,
        ),
        live=live,
        role=role,
    )


def voice_list(request_id: str, shelf: Shelf, folder: Path) -> wire.VoiceList:
    default = next(iter(shelf.voices), "")
    entries = [
        wire.VoiceEntry(
            name=info.name,
            language=info.language,
            licence=info.licence,
            sample_rate=info.sample_rate,
            speakers=list(info.speakers),
            emotions=list(info.emotions),
            default=info.name == default,
        )
        for info in (voice.info for voice in shelf.voices.values())
    ]
    broken = [wire.BrokenVoice(path=b.path, code=b.code, text=b.text) for b in shelf.broken]
    return wire.VoiceList(
        id=request_id, voices=entries, broken=broken, folder=str(folder.absolute())
    )


def status(
    request_id: str,
    life: Life,
    shelf: Shelf,
    scheduler: Scheduler,
    stats: Stats,
    speaker: Speaker,
    engines: list[str],
    problems: list[str],
) -> wire.StatusReport:
    sound = speaker.state
    return wire.StatusReport(
        id=request_id,
        state=life.state,
        detail=life.detail,
        server_version=life.version,
        pid=os.getpid(),
        uptime_s=time.monotonic() - life.started,
        voices=list(shelf.voices),
        broken_voices=len(shelf.broken),
        in_work=len(scheduler) - scheduler.waiting,
        waiting=scheduler.waiting,
        requests=stats.requests,
        done=stats.ends["end"],
        cancelled=stats.ends["cancelled"],
        superseded=stats.ends["superseded"],
        paused=sum(stream.paused for stream in scheduler),
        failed=stats.ends["error"],
        refused=stats.refused,
        bad_messages=stats.bad_messages,
        audio_s=stats.audio_s,
        synth_s=stats.synth_s,
        ttfa_ms_p50=stats.ttfa_ms_p50(),
        engines=engines,
        problems=problems,
        stalled=life.stalled,
        cache=cache_figures(shelf),
        speaker=wire.SpeakerStatus(
            available=sound.available,
            device=sound.device,
            rate=sound.rate,
            latency_ms=1000 * sound.latency_s,
            underruns=speaker.underruns,
            reopened=speaker.reopened,
            reason=sound.reason,
        ),
    )


def stats(
    request_id: str, life: Life, shelf: Shelf, counted: Stats, speaker: Speaker, events: Events
) -> wire.StatsReport:
    return wire.StatsReport(
        id=request_id,
        uptime_s=time.monotonic() - life.started,
        requests=counted.requests,
        ends=dict(counted.ends),
        codes=dict(counted.codes),
        priorities=dict(counted.priorities),
        sinks=dict(counted.sinks),
        audio_s=counted.audio_s,
        synth_s=counted.synth_s,
        ttfa_ms=counted.percentiles(),
        bad_messages=counted.bad_messages,
        underruns=speaker.underruns,
        reopened=speaker.reopened,
        memory_bytes=resident_bytes(),
        subscribers=len(events),
        events=events.told,
        events_dropped=events.dropped,
        cache=cache_figures(shelf),
        first_audio_ms=_histogram(counted.first_audio_ms),
        batch_fill=wire.Histogram() if shelf.keeper is None else _histogram(shelf.keeper.fill),
    )


def _histogram(seen: Histogram) -> wire.Histogram:
    bounds, counts, total = seen.counted()
    return wire.Histogram(bounds=list(bounds), counts=list(counts), total=total)


def cache_figures(shelf: Shelf) -> wire.CacheFigures | None:
    """Of phrases said before; None where there is no cache, or not yet."""
    if shelf.phrases is None:
        return None
    return wire.CacheFigures(**asdict(shelf.phrases.figures()))
