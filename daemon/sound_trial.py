"""The speaker of a daemon that runs, tried: it has the device, so it plays the tone and speaks."""

from __future__ import annotations

from collections.abc import Callable

from sambertd_client import Client
from sambertd_client import protocol as wire
from sambertd_client.errors import SambertdError
from sambertd_client.launch import wait_ready

from daemon import null_sink

SENTENCE = "您好，声音正常。"
ANSWER_S = 20.0
TURN_S = 30.0  # for others to end what they say
CUT = {
    "cancelled": "somebody cancelled it",
    "superseded": "it gave way to another utterance",
    "error": "it ended in an error",
}
Tell = Callable[[str], None]


def by_daemon(endpoint: str, tell: Tell) -> bool:
    """Have the daemon play a tone and a sentence; whether both were heard to their ends."""
    try:
        with Client(endpoint, timeout=ANSWER_S) as client:
            wait_ready(client, lambda _: None)
            before = client.status()
            if before.stalled:
                tell(f"The daemon on {endpoint} hangs: {before.stalled} gives no sign of life.")
                return False
            if not before.speaker.available:
                reason = before.speaker.reason or "it was started without one"
                tell(f"The daemon on {endpoint} has no speaker: {reason}.")
                return False
            well = _both(client, tell)
            after = client.status().speaker
    except SambertdError as error:
        tell(f"The daemon on {endpoint} could not speak: {error}.")
        return False
    _judge(before.speaker, after, tell)
    return well and after.device != null_sink.NAME


def _both(client: Client, tell: Tell) -> bool:
    """Raises SambertdError."""
    well, at = True, f"The daemon on {client.endpoint}"
    if "tone" in client.hello().capabilities:
        done = client.say("", tone=True, sink="speaker", deadline_s=TURN_S).wait()
        well = _ended(done, f"{at} played a tone of 440 Hz for 1 s", tell)
    else:
        tell("This daemon is too old to play a tone; restart it: `systemctl restart sambertd`.")
    done = client.say(SENTENCE, sink="speaker", deadline_s=TURN_S).wait()
    return _ended(done, f"{at} said: {SENTENCE}", tell) and well


def _ended(done: wire.Done, words: str, tell: Tell) -> bool:
    """Whether it was heard to its end, which is told."""
    heard = done.samples if done.heard_samples is None else done.heard_samples
    if done.why == "end" and heard:
        tell(words if words.endswith("。") else f"{words}.")
        return True
    why = CUT.get(done.why, "no sample of it was heard")
    tell(f"{words}: not to its end, {why}. Try again when nothing else speaks.")
    return False


def _judge(before: wire.SpeakerStatus, after: wire.SpeakerStatus, tell: Tell) -> None:
    tell(f"It has {after.device!r} open: {after.rate} Hz, latency {after.latency_ms:.0f} ms.")
    if after.device == null_sink.NAME:
        tell("Nobody hears it: its settings or their fallback lead to the device null.")
    if after.reopened > before.reopened:
        tell("It lost the device meanwhile and opened it again: is a plug loose?")
    if after.underruns > before.underruns:
        tell(f"It stuttered {after.underruns - before.underruns} times; raise speaker.latency_s.")
