"""The speaker: what the loop says, through a ring, to a device that is kept open.

Three threads meet here: the loop (`begin`, `write`, `end`, `cancel`), the device's callback
(`fill`), and the keeper (daemon/keeper.py), which opens the device and watches that it is alive.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import soxr

from daemon.config import SpeakerConfig
from daemon.device import COMMON_RATE, SpeakerError
from daemon.keeper import Keeper, SpeakerState
from daemon.ring import Ring, Samples

FADE_S = 0.008
PAUSE_S = 2.0  # after so much silence an amplifier or a Bluetooth link may have gone to sleep
LOST_GRACE_S = 5.0  # how long what was said waits for a lost sound card
BLOCK = 4096  # samples copied to all channels at once


class Speaker:
    """Plays s16le mono PCM of any rate on the first device of `config` that opens."""

    def __init__(self, config: SpeakerConfig, wake: Callable[[], None]) -> None:
        self._config = config
        self._gain = np.float32(1)  # of this utterance
        self.underruns = 0  # times it fell silent in an utterance, for want of samples
        self._dry = False  # it is silent so now
        self._expects = True  # more of the utterance is due
        self.beat = 0.0  # when the device last asked for samples
        self._rate = COMMON_RATE  # of the card
        self._ring = _ring(COMMON_RATE)
        self._mono: Samples = np.zeros(BLOCK, np.int16)
        self._cold = True  # the device was opened after the last utterance
        self._resampler: Any = None
        self._ring_used = self._ring  # by this utterance
        self._rates = 0, COMMON_RATE  # of its PCM, and of the card when it began
        self._begin = 0
        self._end: int | None = None
        self._started_at: float | None = None
        self._handed_at: float | None = -math.inf
        self.opened = 0  # how often a device was
        self._taken_at: tuple[float, int] | None = None  # when that took its first, and the ring's
        self._keeper = Keeper(config, self, wake)
        self.start = self._keeper.start
        self.ready = self._keeper.ready
        self.silent_s = self._keeper.silent_s
        self.lost_for = self._keeper.lost_for
        self.missing_for = self._keeper.missing_for

    @property
    def settled(self) -> bool:
        """Whether the first attempt to open the device is over."""
        return self._keeper.settled

    @property
    def state(self) -> SpeakerState:
        return self._keeper.state

    @property
    def retry_s(self) -> float | None:
        """Seconds until it has tried again to open a device; None: it does not try any more."""
        return self._keeper.retry_s

    @property
    def reopened(self) -> int:
        """How often the device was lost and came back, or another came in its place."""
        return self._keeper.reopened

    def close(self) -> None:
        """Close the device."""
        self._keeper.close()
        self._resampler = None  # soxr complains on stderr of what lives in a cycle at exit

    def change(self, config: SpeakerConfig) -> None:
        """Other settings from the next utterance on; another device once nothing is said."""
        self._config = config
        self._keeper.change(config)

    def begin(self, rate: int) -> None:
        """A new utterance, of PCM at `rate` Hz, after all that was written before."""
        self._gain = np.float32(10 ** (self._config.gain_db / 20))
        self._ring_used, card = self._ring, self._rate
        self._rates = rate, card
        self._resampler = None if rate == card else soxr.ResampleStream(rate, card, 1, "int16")
        silence = self._lead_in()
        self._end = None
        self._begin = self._ring_used.written + len(silence)
        self._expects = True
        self._started_at = self._handed_at = None  # after the others: the callback looks on
        self._ring_used.write(silence)

    @property
    def wake_s(self) -> float:
        """Seconds of silence that what is said now begins with."""
        asleep = self._cold or self.idle_s(time.monotonic()) >= PAUSE_S
        return self._config.lead_in_s if asleep else 0.0

    def _lead_in(self) -> Samples:
        """Silence for what may sleep between the card and the ear; empty where there is no need."""
        count = int(self.wake_s * self._rates[1])
        self._cold = False
        return np.zeros(min(count, self._ring_used.space), np.int16)

    def write(self, pcm: bytes) -> bool:
        """Queue PCM; False: no space now, nothing was taken.

        Raises SpeakerError, as `end` and `drained` do, where the device was lost and what came
        back cannot go on with this utterance.
        """
        self._check_ring()
        samples = np.frombuffer(pcm, "<i2")
        taken = self._write(self._louder(samples), last=False)
        self._expects |= taken
        return taken

    def rest(self) -> None:
        """The text of the utterance is still to come: silence until the next `write` is right."""
        self._expects = False

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

    def _louder(self, samples: Samples) -> Samples:
        if self._gain == 1:
            return samples
        loud: Samples = np.clip(np.rint(samples * self._gain), -32768, 32767).astype(np.int16)
        return loud

    def cancel(self) -> None:
        """Fade out over 8 ms and drop the rest; the next utterance may begin at once."""
        self._ring_used.drop()
        self._end = self._ring_used.written
        if self._ring_used is not self._ring:  # nobody reads it any more
            self._handed_at = time.monotonic()

    @property
    def started_at(self) -> float | None:
        """When the first samples of this utterance were handed to the card."""
        return self._started_at

    @property
    def handed(self) -> int:
        """Samples of this utterance, at the rate of its PCM, that were handed to the card."""
        return self._of_utterance(self._ring_used.read)

    def _of_utterance(self, read: int) -> int:
        source, card = self._rates
        return max(0, read - self._begin) * source // card

    @property
    def went_on(self) -> tuple[float, int] | None:
        """When the device that was opened last took samples first, and what `handed` was then.

        None: it has not yet, or has another rate.
        """
        taken_at = self._taken_at
        if taken_at is None or self._ring_used is not self._ring:
            return None
        return taken_at[0], self._of_utterance(taken_at[1])

    def drained(self, now: float) -> bool:
        """Whether the utterance that has ended was played to its last sample."""
        self._check_ring()
        return self._handed_at is not None and now >= self._handed_at + self.state.latency_s

    def prepare(self, rate: int) -> None:
        """From the keeper: a device of `rate` Hz starts now."""
        if rate != self._rate:
            self._rate, self._ring = rate, _ring(rate)
            if self._handed_at is None and self._end is not None:  # the rest is read by nobody
                self._handed_at = time.monotonic()
        self._cold = True
        self._taken_at = None
        self.opened += 1
        self.beat = time.monotonic()

    def idle_s(self, now: float) -> float:
        """How long nothing has been played; 0 while something is."""
        handed = self._handed_at
        return 0.0 if handed is None else max(0.0, now - handed)

    def fill(self, outdata: Any, frames: int, _time: Any, status: Any, /) -> None:
        """From the device's thread: the next `frames` samples of each channel."""
        self.beat = now = time.monotonic()
        ring, out = self._ring, np.frombuffer(outdata, np.int16)
        if self._taken_at is None:
            self._taken_at = now, ring.read
        if len(out) == frames:
            audio = ring.fill(out)
        else:
            audio = self._fill_channels(ring, out.reshape(frames, -1))
        speaks = self._end is None and self._started_at is not None and self._expects
        was_dry, self._dry = self._dry, speaks and audio < frames
        if status.output_underflow or (self._dry and not was_dry):
            self.underruns += 1
        if self._started_at is None and ring.read > self._begin:
            self._started_at = now
        if self._handed_at is None and self._end is not None and ring.read >= self._end:
            self._handed_at = now + frames / self._rates[1]

    def _fill_channels(self, ring: Ring, out: Samples) -> int:
        """The same samples on all channels, out: (frames, channels); samples of audio."""
        audio = 0
        for at in range(0, len(out), len(self._mono)):
            block = out[at : at + len(self._mono)]
            mono = self._mono[: len(block)]
            audio += ring.fill(mono)
            block[:] = mono[:, None]
        return audio


def _ring(rate: int) -> Ring:
    """Room for 4 to 8 seconds."""
    return Ring(1 << (4 * rate).bit_length(), int(FADE_S * rate))
