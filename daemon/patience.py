"""How long an utterance may take in each way of taking long."""

from __future__ import annotations

from dataclasses import dataclass

from sambertd_client.protocol import CLIENT_STALLED, DEADLINE_PASSED, TEXT_STALLED, Why

from daemon.stream import Stream

End = tuple[Why, str | None, str | None]  # and code and text


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: without credit, without text, and paused."""

    stall_s: float
    append_s: float
    pause_s: float

    def end(self, stream: Stream, now: float) -> End | None:
        """How it ends for its age, if it does."""
        if stream.is_late(now):
            text = f"it could not be heard within {stream.wish.deadline_s:g} s, its deadline"
            return "error", DEADLINE_PASSED, text
        if stream.paused_since is not None:
            over = now - stream.paused_since >= self.pause_s
            return ("cancelled", None, None) if over else None
        if self._lacks_text(stream, now):
            text = f"no text came for {self.append_s:g} s; append more, or end it"
            return "error", TEXT_STALLED, text
        since = stream.blocked_since
        if since is not None and now - since >= self.stall_s:
            text = f"no audio was taken for {self.stall_s:g} s; grant credit as you consume"
            return "error", CLIENT_STALLED, text
        return None

    def _lacks_text(self, stream: Stream, now: float) -> bool:
        if not stream.starved or stream.outbox:
            return False
        if stream.starved_since is None:
            stream.starved_since = now
        return now - stream.starved_since >= self.append_s
