"""From sending `cancel` to the last sample: of a client's stream, and of the speaker."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sambertd_client import Client

from benchmarks.live.probe import Spread, spread
from benchmarks.live.process import DaemonProcess
from benchmarks.sentences import SENTENCES
from tests.daemon.sink import Listener, Sink, missing, playing

COUNT = 50
SPEAKER_COUNT = 50
LOUD = 300  # of 32768: the humming voice has 16384, and its fade ends within a millisecond below
HUM = "好" * 60  # 3 s
SILENCE_S = 0.5  # between two, more than all latencies together


@dataclass(frozen=True, slots=True)
class Speaker:
    """device_ms: what the sound card, or what stands in for it, says it holds."""

    last_sample: Spread
    device_ms: float


def of_client(count: int = COUNT) -> Spread:
    """Milliseconds to `done`, after which nothing comes; cancelled at a random moment."""
    chance, times = random.Random(0), []
    with (
        tempfile.TemporaryDirectory(prefix="sd-") as folder,
        DaemonProcess(Path(folder)) as daemon,
        Client(daemon.endpoint, timeout=30) as client,
    ):
        daemon.warm_up()
        for _ in range(count):
            spoken = client.say("".join(SENTENCES), credit=4, cache="ignore")
            next(iter(spoken))
            time.sleep(chance.uniform(0, 0.1))
            asked = time.perf_counter()
            spoken.cancel()
            times.append(1000 * (time.perf_counter() - asked))
    return spread(times)


def of_speaker(count: int = SPEAKER_COUNT) -> Speaker | None:
    """Milliseconds to the last sample that a PulseAudio without a card plays; None without one.

    The voice hums, as a real one might be cancelled in a pause. What the recorder needs to hand
    the sound over counts too, so the truth is a little less.
    """
    if missing():
        print(f"cancel on the speaker is left out: it {missing()}", file=sys.stderr)
        return None
    chance, asked = random.Random(0), []
    with tempfile.TemporaryDirectory(prefix="sd-") as name:
        sink = Sink(Path(name))
        try:
            with playing(sink, Path(name)) as client:
                with sink.listen() as heard:
                    for _ in range(count):
                        spoken = client.say(HUM, sink="speaker")
                        time.sleep(chance.uniform(0.5, 0.8))
                        asked.append(time.monotonic())
                        spoken.cancel()
                        time.sleep(SILENCE_S)
                device_ms = client.status().speaker.latency_ms
        finally:
            sink.stop()
    return Speaker(spread(_late_ms(heard, asked)), device_ms)


def _late_ms(heard: Listener, asked: list[float]) -> list[float]:
    """The last loud sample before the next utterance can have begun, after each `cancel`."""
    loud = np.flatnonzero(np.abs(heard.samples()) > LOUD)
    at = np.array([heard.played_at(int(index)) for index in loud])
    late = []
    for moment in asked:
        sounding = at[(at > moment - 0.3) & (at < moment + SILENCE_S)]
        if len(sounding):
            late.append(1000 * float(sounding[-1] - moment))
    return late
