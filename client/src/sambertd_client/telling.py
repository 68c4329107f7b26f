"""What `sambertctl say` tells: marks, how far it is and what could not be read; then the report."""

from __future__ import annotations

import json
from typing import TextIO

import msgspec

from . import protocol as wire
from .terminal import Progress
from .utterance import Utterance


class Teller:
    """Marks go to `out`, a line of JSON each; the rest to stderr."""

    def __init__(self, out: TextIO, progress: Progress, rate: int) -> None:
        self._out, self._progress, self._rate = out, progress, rate

    def __call__(self, reply: wire.Reply) -> None:
        """For `Utterance.on_reply`."""
        if isinstance(reply, wire.Marks):
            for mark in reply.marks:
                line = json.dumps(msgspec.to_builtins(mark), ensure_ascii=False)
                print(line, file=self._out, flush=True)
        elif isinstance(reply, wire.Progress):
            self._progress.tell(self._so_far(reply))
        elif isinstance(reply, wire.Done):
            self._progress.clear()
            for warning in reply.warnings:
                self._progress.warn(f"sambertctl: warning: {warning.text}")

    def _so_far(self, told: wire.Progress) -> str:
        heard = told.samples if told.heard_samples is None else told.heard_samples
        whole = "" if told.total_s is None else f" of about {told.total_s:.1f} s"
        return f"{heard / self._rate:.1f} s{whole}, sentence {told.sentence + 1}"


def report(utterance: Utterance, where: str, out: TextIO, *, as_json: bool) -> None:
    """What came of it, at its end. where: its audio went."""
    done = utterance.done
    if done is None:
        return
    heard_s = None if done.heard_samples is None else done.heard_samples / utterance.rate
    rtf = done.synth_s / done.audio_s if done.audio_s else None
    if as_json:
        facts = {
            "id": utterance.id,
            "where": where,
            "voice": utterance.voice,
            "why": done.why,
            "warnings": [msgspec.to_builtins(warning) for warning in done.warnings],
            "heard_samples": done.heard_samples,
            "heard_s": None if heard_s is None else round(heard_s, 3),
            "audio_s": round(done.audio_s, 3),
            "first_audio_ms": _rounded(utterance.ttfa_ms),
            "first_audio_daemon_ms": _rounded(done.ttfa_ms),
            "cached": round(done.cached, 4),
            "real_time_factor": None if rtf is None else round(rtf, 4),
        }
        print(json.dumps(facts, ensure_ascii=False), file=out)
        return
    told_s = done.audio_s if heard_s is None else heard_s
    print(f"{where}: {told_s:.2f} s of speech by voice {utterance.voice}", file=out)
    if utterance.ttfa_ms is not None and done.ttfa_ms is not None and rtf is not None:
        here, there = round(utterance.ttfa_ms), round(done.ttfa_ms)
        line = f"first audio after {here} ms (in the daemon {there} ms), real-time factor {rtf:.3f}"
        print(line, file=out)
    if done.cached and done.audio_s:
        print(f"{done.cached:.0%} of it was said before", file=out)
    if done.why == "cancelled":
        print("it was cancelled before its end", file=out)
    if done.why == "superseded":
        print("it gave way to another utterance before its end", file=out)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
