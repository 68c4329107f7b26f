"""Playing a whole piece of audio on a Speaker and waiting for its end, without a daemon's loop."""

from __future__ import annotations

import time

import numpy as np

from daemon.device import SpeakerError
from daemon.playback import Speaker

PIECE = 1600  # samples at once
LOST_S = 3.0  # without a device, then it is given up
STUCK_S = 5.0  # beyond the length of the audio
FADE_S = 0.02


def tone(rate: int, seconds: float = 1.0, hertz: float = 440.0, level_db: float = -20.0) -> bytes:
    """A sine that fades in and out, s16le mono at `rate` Hz."""
    time_s = np.arange(int(rate * seconds)) / rate
    ramp = np.minimum(1.0, np.minimum(time_s, seconds - time_s) / FADE_S)
    wave = np.sin(2 * np.pi * hertz * time_s) * (0.5 - 0.5 * np.cos(np.pi * ramp))
    return np.rint(32767 * 10 ** (level_db / 20) * wave).astype("<i2").tobytes()


def play(speaker: Speaker, pcm: bytes, rate: int) -> None:
    """Play s16le mono PCM of `rate` Hz; returns when its last sample was played.

    Raises SpeakerError.
    """
    until = time.monotonic() + len(pcm) / 2 / rate + STUCK_S
    while not speaker.ready():
        _wait(speaker, until)
    speaker.begin(rate)
    for at in range(0, len(pcm), 2 * PIECE):
        while not speaker.write(pcm[at : at + 2 * PIECE]):
            _wait(speaker, until)
    while not speaker.end():
        _wait(speaker, until)
    while not speaker.drained(time.monotonic()):
        _wait(speaker, until)


def _wait(speaker: Speaker, until: float) -> None:
    reason = speaker.lost_for(LOST_S)
    if reason:
        raise SpeakerError(reason)
    if time.monotonic() > until:
        raise SpeakerError(
            "the device takes no more samples: is another program or a suspended sound server "
            "holding it? See `pactl list short sinks`"
        )
    time.sleep(0.01)
