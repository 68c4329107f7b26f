"""Keeps a sound device open: opens it, watches that it is alive, and opens it again when lost.

One thread. It also closes a device that nobody uses, if the settings say so, and from a device
of the fallback order it looks now and then whether a better one is back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from daemon.config import SpeakerConfig
from daemon.device import COMMON_RATE, NoPortAudioError, SpeakerError
from daemon.outputs import Output, Outputs, Source

log = logging.getLogger(__name__)
FIRST_RETRY_S = 0.25
LAST_RETRY_S = 10.0
PATIENCE_S = 2.0  # a lost device gets so long to come back before another takes its place
BETTER_S = 30.0  # between two looks for a better device; each closes the one in use for a moment
CARD_S = 0.5  # without a sign of life from a card, until it counts as unplugged
SERVER_S = 2.5  # from a sound server: one that was starved may hold what it has for two seconds
REST_S = 0.5  # without speech, before other settings count
OPENING_S = 0.5  # about what it takes to open one
OF_DEVICE = ("enabled", "device", "fallback", "latency_s", "channels")
LOST = "the sound card was lost; it is opened again when it is back"
FROZEN = "the sound card opens and then takes no samples; plug it in anew, or restart its server"
OPENS, SWITCHED_OFF = "the speaker opens", "the speaker is switched off by the settings"
BETTER_THAN_NONE_S = 5.0  # the same while nobody hears anything


@dataclass(frozen=True, slots=True)
class SpeakerState:
    available: bool
    device: str = ""
    rate: int = 0  # Hz
    latency_s: float = 0.0
    reason: str = ""


class Player(Source, Protocol):
    """What is played: daemon.playback.Speaker."""

    beat: float  # when the device last asked for samples

    def idle_s(self, now: float) -> float:
        """How long nothing has been played; 0 while something is."""


class Keeper:
    """The thread, and what it knows of the device: `state`, `reopened`."""

    def __init__(self, config: SpeakerConfig, player: Player, wake: Callable[[], None]) -> None:
        self._config = self._wanted = config
        self._player = player
        self._wake = wake
        self._outputs = Outputs(config, player, self._on_finished)
        reason = OPENS if config.enabled else SWITCHED_OFF
        self.settled = not config.enabled  # whether the first attempt to open is over
        self.state = SpeakerState(available=False, reason=reason)
        self.unavailable_since = time.monotonic()
        self.reopened = 0  # times it was lost and came back, or another came in its place
        self._rate = COMMON_RATE
        self._output: Output | None = None
        self._asleep = False
        self._place = 0  # of the device that was opened last
        self._lost_at: float | None = None  # until one that is open has asked for samples
        self._opened_at = 0.0
        self._frozen: set[int] = set()  # places of devices that opened and never asked since then
        self._looked_at = 0.0  # for a better one
        self._asked_at = 0.0
        self._beat = 0.0  # this thread's own
        self._delay = FIRST_RETRY_S
        self._next_try = 0.0
        self._finished = False
        self._stop = threading.Event()
        self._nudge = threading.Event()
        self._thread = threading.Thread(target=self._run, name="speaker", daemon=True)

    def start(self, rate: int) -> None:
        """Open the device in the background, at `rate` Hz if it takes that."""
        self._rate, self._beat = rate, time.monotonic()
        if self._config.enabled:
            self._thread.start()

    def change(self, config: SpeakerConfig) -> None:
        """Other settings: another device is opened once nothing has been said for a while."""
        self._wanted = config
        if self._thread.ident is not None:
            self._nudge.set()
        elif config.enabled:
            self._adopt(config)
            self.start(self._rate)

    def close(self) -> None:
        """Close the device and end the thread."""
        self._stop.set()
        self._nudge.set()
        if self._thread.ident is not None:
            self._thread.join(5)

    def ready(self) -> bool:
        """Whether the device is open now; one closed while idle is opened, and `wake` called."""
        self._asked_at = time.monotonic()
        if self._output is None:
            self._nudge.set()
        return self._output is not None

    def silent_s(self, now: float) -> float:
        """How long the callback of an open device, or this thread, has given no sign of life.

        0 where there is none that could: the speaker is off, or it was given up. One that is opened
        again and again and never asks for samples counts from when it was lost.
        """
        if not self._thread.is_alive():
            return 0.0
        signs = [self._beat]
        if self._output is not None:
            signs.append(self._player.beat)
        if self._frozen:
            signs.append(self.unavailable_since)
        return now - min(signs)

    def lost_for(self, seconds: float) -> str:
        """Why no sound card has taken samples for so long; "" where one does or may do soon."""
        state = self.state
        lost = not state.available or bool(self._frozen)
        over = time.monotonic() - self.unavailable_since >= seconds
        return (state.reason or FROZEN) if lost and over else ""

    def missing_for(self, seconds: float) -> str:
        """As `lost_for`, for what is still to be taken on: one that never opened is not awaited."""
        return self.lost_for(0.0 if self._lost_at is None else seconds)

    @property
    def retry_s(self) -> float | None:
        """Seconds until it has tried again to open a device; None: it does not try any more."""
        if not (self._config.enabled and self._thread.is_alive()):
            return None
        return max(0.0, self._next_try - time.monotonic()) + OPENING_S

    def _on_finished(self) -> None:
        self._finished = True
        self._nudge.set()

    def _run(self) -> None:
        try:
            self._keep()
        except NoPortAudioError as error:
            self._set_unavailable(str(error))
        except BaseException:
            log.exception("the speaker failed")
            self._set_unavailable("the speaker failed by a fault of the daemon; restart it")

    def _keep(self) -> None:
        while not self._stop.is_set():
            now = self._beat = time.monotonic()
            if self._wanted is not self._config:
                self._adopt(self._wanted)
            if not self._config.enabled:
                self._nudge.wait(1.0)
                self._nudge.clear()
                continue
            if self._output is None and not (self._asleep and self._idle_s(now) > 0.5):
                self._try_to_open(now)
                continue
            self._nudge.wait(0.1)
            self._nudge.clear()
            if self._output is not None and not self._stop.is_set():
                self._look_after(self._output, time.monotonic())
        self._shut()

    def _adopt(self, config: SpeakerConfig) -> None:
        """Let these settings count, unless that would cut somebody off: then later."""
        if all(getattr(config, key) == getattr(self._config, key) for key in OF_DEVICE):
            self._config = config
            return
        output, self._output = self._output, None  # who asks from now on waits for the next
        if output is not None:
            if self._idle_s(time.monotonic()) < REST_S:
                self._output = output
                return
            output.shut()
        self._outputs.rescan()
        self._config, self._asleep, self._place, self._lost_at = config, False, 0, None
        self._delay = FIRST_RETRY_S
        self._outputs = Outputs(config, self._player, self._on_finished)
        self._set_unavailable(OPENS if config.enabled else SWITCHED_OFF)

    def _idle_s(self, now: float) -> float:
        return min(self._player.idle_s(now), now - self._asked_at)

    def _try_to_open(self, now: float) -> None:
        patient = self._lost_at is not None and now < self._lost_at + PATIENCE_S
        playing = self.state.rate and self._player.idle_s(now) == 0
        rate = self.state.rate if playing else self._rate  # what plays goes on at its own rate
        self._finished = False
        if self._asleep and self._place > 0:  # what is wanted may be back, and nothing looked
            self._outputs.rescan()
        try:
            output = self._open(rate, only_first=patient)
        except NoPortAudioError:
            raise
        except SpeakerError as error:
            gone, self._asleep = self.state.available, False  # one that was closed on purpose
            self._set_unavailable(str(error), lost=gone)
            self._frozen.clear()  # a card that is not there is none that hangs
            self._back_off(now)
            self._outputs.rescan()
        else:
            self._opened(output)

    def _back_off(self, now: float) -> None:
        """Wait before the next try, each time longer, but not beyond the patience with a device."""
        rest = 0.0 if self._lost_at is None else self._lost_at + PATIENCE_S - now
        pause = min(self._delay, rest) if rest > 0 else self._delay
        self._next_try = now + pause
        self._stop.wait(pause)
        self._delay = min(2 * self._delay, LAST_RETRY_S)

    def _open(self, rate: int, *, only_first: bool) -> Output:
        """The first that opens; where there is another, none that is known to take no samples."""
        try:
            return self._outputs.open(rate, only_first=only_first, but=self._frozen)
        except SpeakerError:
            if only_first or not self._frozen:
                raise
            return self._outputs.open(rate)

    def _opened(self, output: Output) -> None:
        self._asleep = False
        self.reopened += self._lost_at is not None and not self._frozen
        self._opened_at = now = time.monotonic()
        self._asked_at = self._looked_at = self._player.beat = now
        latency_s = float(output.stream.latency)
        state = SpeakerState(True, output.name, output.rate, latency_s)
        if state != self.state or self._lost_at is not None:
            told = "speaker %s open: %d Hz, latency %.0f ms"
            log.info(told, output.name, output.rate, 1000 * latency_s)
        self.state, self._output, self._place = state, output, output.place
        self.settled = True
        self._wake()

    def _look_after(self, output: Output, now: float) -> None:
        idle_s, asked = self._idle_s(now), self._player.beat > self._opened_at
        if asked:
            self._lost_at, self._delay = None, FIRST_RETRY_S
            self._frozen.clear()
        if self._is_lost(now):
            self._lose(output, now, frozen=not asked and not self._finished)
        elif 0 < self._config.idle_close_s <= idle_s and not (output.silent and self._place > 0):
            log.debug("speaker %s closed while nobody speaks", output.name)
            self._asleep = True
            self._shut()
        elif self._place > 0 and min(idle_s, now - self._looked_at) > (
            BETTER_THAN_NONE_S if output.silent else BETTER_S
        ):
            self._shut()
            self._outputs.rescan()

    def _lose(self, output: Output, now: float, *, frozen: bool) -> None:
        self._set_unavailable(FROZEN if frozen else LOST, lost=True)
        self._shut()
        if frozen:
            self._frozen.add(output.place)
            self._back_off(now)
        self._outputs.rescan()

    def _is_lost(self, now: float) -> bool:
        """finished_callback tells of a vanished server, only the heartbeat of an unplugged card."""
        silent_s = now - self._player.beat
        patience_s = CARD_S if "(hw:" in self.state.device else SERVER_S
        return self._finished or silent_s > max(patience_s, 6 * self.state.latency_s)

    def _shut(self) -> None:
        output, self._output = self._output, None
        if output is not None:
            output.shut()

    def _set_unavailable(self, reason: str, *, lost: bool = False) -> None:
        if self.state.available and self._lost_at is None:
            self.unavailable_since = time.monotonic()
        if lost and self._lost_at is None:  # before `state`: who looks sees that it was there
            self._lost_at = time.monotonic()
        if reason != self.state.reason:
            log.warning("no speaker: %s", reason)
        self.state = SpeakerState(False, rate=self.state.rate, reason=reason)
        if not self.settled:
            self.settled = True
            self._wake()
