"""The speaker: one stream that stays open, fed from a ring, reopened by itself when it is lost.

The only importer of sounddevice, and only when the speaker is started: a machine without
PortAudio runs the daemon all the same and hears why there is no sound. Three threads meet here:
the loop (`begin`, `write`, `end`, `cancel`), PortAudio's callback, and the keeper, which opens
the device, watches that it is alive, and closes it.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr

from daemon.config import SpeakerConfig
from daemon.ring import Ring, Samples

log = logging.getLogger(__name__)
RING_SAMPLES = 1 << 17  # 8 s at 16 kHz, 2.7 s at 48 kHz
FADE_S = 0.008
COMMON_RATE = 48000  # what a card that refuses the voice's rate most likely takes
FIRST_RETRY_S = 0.25
LAST_RETRY_S = 10.0


class SpeakerError(Exception):
    """The sound card cannot be used (now); the message names the cure."""


class NoPortAudioError(SpeakerError):
    """It never can in this process."""


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
        self._beat = 0.0
        self._stop = threading.Event()
        self._nudge = threading.Event()
        self._finished = False
        self._keeper = threading.Thread(target=self._run, name="speaker", daemon=True)

    def start(self, rate: int) -> None:
        """Open the device in the background, at `rate` Hz if it takes that."""
        if self._config.enabled:
            self._wanted_rate = rate
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

        Raises SpeakerError where the device was lost and cannot go on with this utterance.
        """
        if self._ring_used is not self._ring:
            raise SpeakerError("the sound card came back with another rate; say it again")
        samples = np.frombuffer(pcm, "<i2")
        return self._write(samples, last=False)

    def end(self) -> bool:
        """No more PCM for this utterance; False: no space for its tail now, try again."""
        if not self._write(np.zeros(0, np.int16), last=True):
            return False
        self._end = self._ring_used.written
        return True

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
        return self._handed_at is not None and now >= self._handed_at + self.state.latency_s

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
            if stream is None:
                try:
                    backend = backend or _portaudio()
                    stream = self._open(backend)
                except NoPortAudioError as error:
                    self._set_unavailable(str(error))
                    return
                except SpeakerError as error:
                    self._set_unavailable(str(error))
                    self._stop.wait(delay)
                    delay = min(2 * delay, LAST_RETRY_S)
                    if backend is not None:
                        _rescan(backend)
                    continue
                delay = FIRST_RETRY_S
            self._nudge.wait(0.1)
            self._nudge.clear()
            if not self._stop.is_set() and self._is_lost():
                self._set_unavailable("the sound card was lost; it is opened again when it is back")
                _shut(stream)
                stream = None
                _rescan(backend)
        if stream is not None:
            _shut(stream)

    def _is_lost(self) -> bool:
        """finished_callback tells of a vanished server, only the heartbeat of an unplugged card."""
        silent_s = time.monotonic() - self._beat
        return self._finished or silent_s > max(0.5, 6 * self.state.latency_s)

    def _open(self, backend: Any) -> Any:
        device = _find_device(backend, self._config.device)
        rate = _find_rate(backend, device, self._wanted_rate)
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
            raise SpeakerError(f"cannot open {device['name']!r}: {_words(error)}") from error
        self._beat = time.monotonic()
        try:
            stream.start()
        except backend.PortAudioError as error:
            _shut(stream)
            raise SpeakerError(f"cannot start {device['name']!r}: {_words(error)}") from error
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


def _portaudio() -> Any:
    """The sounddevice module, with ALSA's chatter silenced. Raises NoPortAudioError."""
    try:
        _hush_alsa()
        return importlib.import_module("sounddevice")
    except OSError as error:
        text = "PortAudio is not installed; run `sudo apt install libportaudio2`"
        raise NoPortAudioError(text) from error
    except ImportError as error:
        raise NoPortAudioError(
            "python package sounddevice is missing; run `pip install sounddevice`"
        ) from error


_AlsaHandler = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)
_ignore_alsa = _AlsaHandler(lambda *_: None)  # must live as long as the process


def _hush_alsa() -> None:
    """Each scan of a machine without a card makes libasound print dozens of lines on stderr."""
    try:
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_ignore_alsa)
    except OSError:
        return


def _rescan(backend: Any) -> None:
    """PortAudio lists devices once, when it is initialised; only this makes it look again."""
    try:
        backend._terminate()
        backend._initialize()
    except backend.PortAudioError as error:
        log.debug("PortAudio: %s", error)


def _find_device(backend: Any, name: str) -> Any:
    """The first output whose name contains `name`: indices change from boot to boot."""
    try:
        if not name:
            return backend.query_devices(kind="output")
        outputs = [d for d in backend.query_devices() if d["max_output_channels"] > 0]
    except (backend.PortAudioError, ValueError) as error:
        cure = "plug one in, check `aplay -l`, and be in the group audio"
        raise SpeakerError(f"no sound output was found; {cure}") from error
    for device in outputs:
        if name.lower() in device["name"].lower():
            return device
    known = ", ".join(repr(device["name"]) for device in outputs) or "none"
    raise SpeakerError(f"no sound device is called {name!r}; there are: {known}")


def _find_rate(backend: Any, device: Any, wanted: int) -> int:
    """The voice's rate if the card takes it: PortAudio does not resample, soxr does."""
    last: Exception | None = None
    for rate in (wanted, COMMON_RATE, int(device["default_samplerate"])):
        try:
            backend.check_output_settings(device["index"], 1, "int16", samplerate=rate)
        except backend.PortAudioError as error:
            last = error
        else:
            return rate
    cure = "close the program that uses it, or choose another with --device"
    raise SpeakerError(f"{device['name']!r} takes no rate: {_words(last)}; {cure}") from last


def _shut(stream: Any) -> None:
    stream.abort(ignore_errors=True)
    stream.close(ignore_errors=True)


def _words(error: Exception | None) -> str:
    return str(error.args[0]) if error and error.args else "unknown reason"
