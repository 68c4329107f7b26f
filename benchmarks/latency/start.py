"""What `accepted.start_s` predicts, against when the first audio came, as `done.ttfa_ms` tells."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Literal

from sambertd_client import Client, Utterance

from benchmarks.live.process import DaemonProcess
from benchmarks.sentences import SENTENCES

Sink = Literal["client", "speaker"]
SETTINGS = '[speaker]\ndevice = "null"\n'
ROUNDS = 4
SHORT = 12  # characters
LEARNT_OF = 12  # utterances before the first that counts


@dataclass(frozen=True, slots=True)
class Kept:
    """Medians in seconds, and of how many the prediction was within a factor of 2, or 0.3 s."""

    predicted_s: float
    real_s: float
    good: int
    count: int


def start(rounds: int = ROUNDS) -> dict[str, Kept]:
    """Of a daemon that has spoken a little, on a device that takes samples in real time."""
    told = {}
    with (
        tempfile.TemporaryDirectory(prefix="sd-") as folder,
        DaemonProcess(Path(folder), settings=SETTINGS) as daemon,
        Client(daemon.endpoint, timeout=120) as client,
        Client(daemon.endpoint, timeout=120) as other,
    ):
        daemon.warm_up()
        for text in islice(cycle(SENTENCES), LEARNT_OF):
            client.say(text, sink="none", cache="ignore").wait()
        for name, case in CASES.items():
            told[name] = _kept(one for _ in range(rounds) for one in case(client, other))
    return told


def _say(client: Client, text: str, sink: Sink = "client") -> Utterance:
    return client.say(text, sink=sink, cache="ignore")


def _alone(sink: Sink) -> Callable[[Client, Client], Iterator[Utterance]]:
    def case(client: Client, _: Client) -> Iterator[Utterance]:
        yield _ended(_say(client, SENTENCES[2][:SHORT], sink))

    return case


def _queued(client: Client, _: Client) -> Iterator[Utterance]:
    queue = [_say(client, text[:SHORT], "speaker") for text in SENTENCES[:5]]
    yield _ended(queue[-1])


def _beside_streams(newcomer: Literal["same", "other"]) -> Callable[..., Iterator[Utterance]]:
    def case(client: Client, other: Client) -> Iterator[Utterance]:
        streams = [
            client.say("".join(SENTENCES[:5]), sink="none", cache="ignore") for _ in range(6)
        ]
        while client.status().in_work < 4:
            time.sleep(0.005)
        yield _ended(_say(client if newcomer == "same" else other, SENTENCES[0][:SHORT]))
        for one in streams:
            one.wait()

    return case


def _beside_a_pause(client: Client, _: Client) -> Iterator[Utterance]:
    held = _say(client, SENTENCES[0], "speaker")
    client.pause(held.id)
    yield _ended(_say(client, SENTENCES[2][:SHORT], "speaker"))
    client.cancel(held.id)


def _after_a_pause(client: Client, _: Client) -> Iterator[Utterance]:
    held = _say(client, SENTENCES[0][:SHORT], "speaker")
    client.pause(held.id)
    client.resume(held.id)
    yield _ended(_say(client, SENTENCES[2][:SHORT], "speaker"))


CASES: dict[str, Callable[[Client, Client], Iterator[Utterance]]] = {
    "alone, to a client": _alone("client"),
    "alone, on the speaker": _alone("speaker"),
    "behind 4 on the speaker": _queued,
    "beside 6 longer texts of the same client": _beside_streams("same"),
    "beside 6 longer texts of another client": _beside_streams("other"),
    "while another is paused": _beside_a_pause,
    "behind one that was paused and goes on": _after_a_pause,
}


def _ended(utterance: Utterance) -> Utterance:
    utterance.wait()
    return utterance


def _kept(spoken: Iterable[Utterance]) -> Kept:
    pairs = [
        (one.start_s, one.done.ttfa_ms / 1000)
        for one in spoken
        if one.start_s is not None and one.done is not None and one.done.ttfa_ms is not None
    ]
    good = sum(abs(a - b) <= 0.3 or b / 2 <= a <= 2 * b for a, b in pairs)
    predicted, real = (statistics.median(times) for times in zip(*pairs, strict=True))
    return Kept(predicted, real, good, len(pairs))
