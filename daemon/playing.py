"""Playing a whole piece of audio on a Speaker and waiting for its end, without a daemon's loop."""

from __future__ import annotations

import time

from daemon.device import SpeakerError
from daemon.playback import Speaker

PIECE = 1600  # samples at once
LOST_S = 3.0  # without a device, then it is given up
STUCK_S = 5.0  # beyond the length of the audio


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
