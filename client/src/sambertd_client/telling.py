"""What `sambertctl say` tells while it is spoken: marks, how far it is, what could not be read."""

from __future__ import annotations

import json
from typing import TextIO

import msgspec

from . import protocol as wire
from .terminal import Progress


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
