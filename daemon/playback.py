"""The speaker: one stream that stays open, fed from a ring, reopened by itself when it is lost.

Three threads meet here: the loop (`begin`, `write`, `end`, `cancel`), PortAudio's callback, and
the keeper, which opens the device, watches that it is alive, and closes it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr

from daemon.config import SpeakerConfig
from daemon.device import (
    COMMON_RATE,
    NoPortAudioError,
    SpeakerError,
    find_device,
    find_rate,
    portaudio,
    rescan,
    words,
)
from daemon.ring import Ring, Samples

log = logging.getLogger(__name__)
RING_SAMPLES = 1 << 17  # 8 s at 16 kHz, 2.7 s at 48 kHz
FADE_S = 0.008
FIRST_RETRY_S = 0.25
LAST_RETRY_S = 10.0


@dataclass(frozen=True, slots=True)
class SpeakerState:
    available: bool
    device: str = ""
    rate: int = 0  # Hz
    latency_s: float = 0.0
    reason: str = ""


class Speaker:
    """Plays s16le mono PCM of any rate on the device `config` names."""

    def __init__(self, config: SpeakerConfig, wake: Callable[[], None]) -> None:
        self._config = config
        self._wake = wake
        self.settled = not config.enabled  # whether the first attempt to open is over
        reason = (
            "the speaker opens" if config.enabled else "the speaker is switched off by the settings"
        )
        self.state = SpeakerState(available=False, reason=reason)
        self.unavailable_since = time.monotonic()
        self.underruns = 0
        self.opened = 0  # times; more than one means it was lost
        self._wanted_rate = COMMON_RATE
        self._ring = Ring(RING_SAMPLES, int(FADE_S * COMMON_RATE))
        self._resampler: Any = None
        self._ring_used = self._ring  # by this utterance
        self._rates = 0, 0  # of its PCM, and of the card when it began
        self._begin = 0
        self._end: int | None = None
        self._started_at: float | None = None
        self._handed_at: float | None = None
        self._beat = self._kept = 0.0  # signs of life of the callback and of the keeper
        self._stop = threading.Event()
        self._nudge = threading.Event()
        self._finished = False
        self._keeper = threading.Thread(target=self._run, name="speaker", daemon=True)

    def start(self, rate: int) -> None:
        """Open the device in the background, at `rate` Hz if it takes that."""
        if self._config.enabled:
            self._wanted_rate = rate
            self._kept = time.monotonic()
            self._keeper.start()

    def close(self) -> None:
        self._stop.set()
        self._nudge.set()
        if self._keeper.ident is not None:
            self._keeper.join(5)

    def begin(self, rate: int) -> None:
        """A new utterance, of PCM at `rate` Hz, after all that was written before."""
        self._ring_used = self._ring
        self._rates = rate, self.state.rate
        same = rate == self.state.rate
        self._resampler = None if same else soxr.ResampleStream(rate, self.state.rate, 1, "int16")
        self._end = None
        self._begin = self._ring_used.written  # before the rest is reset: the callback looks on
        self._started_at = self._handed_at = None

    def write(self, pcm: bytes) -> bool:
        """Queue PCM; False: no space now, nothing was taken.

        Raises SpeakerError, as `end` and `drained` do, where the device was lost and what came
        back cannot go on with this utterance.
        """
        self._check_ring()
        samples = np.frombuffer(pcm, "<i2")
        return self._write(samples, last=False)

    def end(self) -> bool:
        """No more PCM for this utterance; False: no space for its tail now, try again."""
        self._check_ring()
        if not self._write(np.zeros(0, np.int16), last=True):
            return False
        self._end = self._ring_used.written
        return True

    def _check_ring(self) -> None:
        """Nobody reads the ring of a card that came back at another rate."""
        if self._ring_used is not self._ring:
            raise SpeakerError("the sound card came back with another rate; say it again")

    def _write(self, samples: Samples, *, last: bool) -> bool:
        if self._resampler is None:
            return self._ring_used.write(samples)
        source, card = self._rates
        if self._ring_used.space < len(samples) * card // source + card // 5:  # soxr holds back
            return False
        return self._ring_used.write(self._resampler.resample_chunk(samples, last=last))

    def cancel(self) -> None:
        """Fade out over 8 ms and drop the rest; the next utterance may begin at once."""
        self._ring_used.drop()
        self._end = self._ring_used.written

    @property
    def started_at(self) -> float | None:
        """When the first samples of this utterance were handed to the card."""
        return self._started_at

    def drained(self, now: float) -> bool:
        """Whether the utterance that has ended was played to its last sample."""
        self._check_ring()
        return self._handed_at is not None and now >= self._handed_at + self.state.latency_s

    def silent_s(self, now: float) -> float:
        """How long the callback of an open card, or the keeper, has given no sign of life.

        0 where there is none that could: the speaker is off, or it was given up.
        """
        if not self._keeper.is_alive():
            return 0.0
        last = min(self._beat, self._kept) if self.state.available else self._kept
        return now - last

    def lost_for(self, seconds: float) -> str:
        """Why there has been no sound card for so long; "" where there is or may be one soon."""
        lost = not self.state.available and time.monotonic() - self.unavailable_since >= seconds
        return self.state.reason if lost else ""

    def _callback(self, outdata: Any, frames: int, _time: Any, status: Any) -> None:
        self._beat = now = time.monotonic()
        ring = self._ring
        audio = ring.fill(np.frombuffer(outdata, np.int16))
        hungry = self._end is None and self._started_at is not None and audio < frames
        if status.output_underflow or (hungry and audio > 0):
            self.underruns += 1
        if self._started_at is None and ring.read > self._begin:
            self._started_at = now
        if self._handed_at is None and self._end is not None and ring.read >= self._end:
            self._handed_at = now + frames / self._rates[1]

    def _on_finished(self) -> None:
        self._finished = True
        self._nudge.set()

    def _run(self) -> None:
        try:
            self._keep()
        except BaseException:
            log.exception("the speaker failed")
            self._set_unavailable("the speaker failed by a fault of the daemon; restart it")

    def _keep(self) -> None:
        stream, backend, delay = None, None, FIRST_RETRY_S
        while not self._stop.is_set():
            self._kept = time.monotonic()
            if stream is None:
                try:
                    backend = backend or portaudio()
                    stream = self._open(backend)
                except NoPortAudioError as error:
                    self._set_unavailable(str(error))
                    return
                except SpeakerError as error:
                    self._set_unavailable(str(error))
                    self._stop.wait(delay)
                    delay = min(2 * delay, LAST_RETRY_S)
                    if backend is not None:
                        rescan(backend)
                    continue
                delay = FIRST_RETRY_S
            self._nudge.wait(0.1)
            self._nudge.clear()
            if not self._stop.is_set() and self._is_lost():
                self._set_unavailable("the sound card was lost; it is opened again when it is back")
                _shut(stream)
                stream = None
                rescan(backend)
        if stream is not None:
            _shut(stream)

    def _is_lost(self) -> bool:
        """finished_callback tells of a vanished server, only the heartbeat of an unplugged card."""
        silent_s = time.monotonic() - self._beat
        return self._finished or silent_s > max(0.5, 6 * self.state.latency_s)

    def _open(self, backend: Any) -> Any:
        device = find_device(backend, self._config.device)
        rate = find_rate(backend, device, self._wanted_rate)
        if rate != self.state.rate:
            self._ring = Ring(RING_SAMPLES, int(FADE_S * rate))
        self._finished = False
        try:
            stream = backend.RawOutputStream(
                samplerate=rate,
                device=device["index"],
                channels=1,
                dtype="int16",
                latency=self._config.latency_s,
                blocksize=0,
                callback=self._callback,
                finished_callback=self._on_finished,
            )
        except backend.PortAudioError as error:
            raise SpeakerError(f"cannot open {device['name']!r}: {words(error)}") from error
        self._beat = time.monotonic()
        try:
            stream.start()
        except backend.PortAudioError as error:
            _shut(stream)
            raise SpeakerError(f"cannot start {device['name']!r}: {words(error)}") from error
        self.opened += 1
        self.state = SpeakerState(True, device["name"], rate, float(stream.latency))
        self._settle()
        log.info(
            "speaker %s open: %d Hz, latency %.0f ms", device["name"], rate, 1000 * stream.latency
        )
        return stream

    def _set_unavailable(self, reason: str) -> None:
        if self.state.available:
            self.unavailable_since = time.monotonic()
        if reason != self.state.reason:
            log.warning("no speaker: %s", reason)
        self.state = SpeakerState(False, rate=self.state.rate, reason=reason)
        self._settle()

    def _settle(self) -> None:
        if not self.settled:
            self.settled = True
            self._wake()


def _shut(stream: Any) -> None:
    stream.abort(ignore_errors=True)
    stream.close(ignore_errors=True)
