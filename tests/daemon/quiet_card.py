"""A sound card made of Python: it takes samples in real time and keeps them.

What sounds on a real PulseAudio is tested in test_speaker.py; here it matters who is on the air.
"""

from __future__ import annotations

import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

BLOCK_S = 0.01
RATE = 16000


class QuietStream:
    latency = 0.02

    def __init__(self, heard: bytearray, callback: Any, finished: Any) -> None:
        self._heard, self._callback, self._finished = heard, callback, finished
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        frames, due = int(RATE * BLOCK_S), time.monotonic()
        block, status = bytearray(2 * frames), SimpleNamespace(output_underflow=False)
        while not self._closed.wait(max(0.0, due - time.monotonic())):
            self._callback(block, frames, None, status)
            self._heard += block
            due += BLOCK_S
        self._finished()

    def abort(self, ignore_errors: bool) -> None:
        self._closed.set()

    def close(self, ignore_errors: bool) -> None:
        self._thread.join(5)


class QuietCard:
    """What daemon/device.py and playback.py use of the module sounddevice."""

    class PortAudioError(Exception):
        pass

    def __init__(self) -> None:
        self.heard = bytearray()

    def query_devices(self, kind: str) -> dict[str, Any]:
        rate = float(RATE)
        return {
            "index": 0,
            "name": "quiet",
            "default_samplerate": rate,
            "max_output_channels": 1,
        }

    def check_output_settings(self, index: int, channels: int, dtype: str, samplerate: int) -> None:
        assert samplerate == RATE

    def RawOutputStream(self, **settings: Any) -> QuietStream:  # noqa: N802 - sounddevice's name
        return QuietStream(self.heard, settings["callback"], settings["finished_callback"])

    def _terminate(self) -> None: ...

    def _initialize(self) -> None: ...


@pytest.fixture
def quiet_card(monkeypatch: pytest.MonkeyPatch) -> QuietCard:
    card = QuietCard()
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    return card
