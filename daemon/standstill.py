"""Whether the sound card takes what is on the air, and from which sample on it goes on.

The keeper waits until it is sure that a card is lost; lips have to stand still when the sound does.
"""

from __future__ import annotations

from daemon.playback import Speaker

STILL_S = 0.15  # without asking for samples
STILL_LATENCIES = 1.5  # the same, for a card with a long buffer: that is empty by then


class Standstill:
    """Of the one utterance that is on the air."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._opened = 0  # times the speaker was opened before that sounded on it
        self._handed: int | None = None  # of that, when it stood still

    def begin(self) -> None:
        """It sounds from now on."""
        self._opened, self._handed = self._speaker.opened, None

    def begins(self, now: float) -> bool:
        """Whether it stands still since the last look; `now` by the monotonic clock."""
        if self._handed is not None or not (self._is_new or self._stands(now)):
            return False
        self._handed = self._speaker.handed
        return True

    def ends(self, now: float) -> tuple[float, int] | None:
        """When it went on, and how many samples had been handed over before; None: it has not."""
        new, handed = self._is_new, self._handed  # `new` first: it is opened before it is there
        if handed is None or self._stands(now):
            return None
        if new:
            went_on = self._speaker.went_on
        else:
            went_on = (now, handed) if self._speaker.handed > handed else None
        if went_on is not None:
            self.begin()
        return went_on

    @property
    def _is_new(self) -> bool:
        return self._speaker.opened != self._opened

    def _stands(self, now: float) -> bool:
        state = self._speaker.state
        patience_s = max(STILL_S, STILL_LATENCIES * state.latency_s)
        return not state.available or now - self._speaker.beat > patience_s
