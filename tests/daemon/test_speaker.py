"""Real playback: daemon -> PortAudio -> ALSA -> a PulseAudio sink without a card, recorded."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sambertd_client import Client, SpeechError
from sambertd_client.protocol import SpeakerStatus

from daemon.device import PERIODS
from tests.daemon.sink import (
    Sink,
    playing,
    samples,
    sink_of,
    speech,
    wait_until,
    without_gaps,
)
from tests.daemon.tone import RATE

pytestmark = pytest.mark.audio


@pytest.fixture
def sink(folder: Path) -> Iterator[Sink]:
    yield from sink_of(folder)


@pytest.fixture
def client(sink: Sink, folder: Path) -> Iterator[Client]:
    with playing(sink, folder) as connected:
        yield connected


def test_every_sample_is_played_to_the_tail_before_done(sink: Sink, client: Client) -> None:
    with sink.record() as heard:
        first, second = client.say("好" * 20, sink="speaker"), client.say("好" * 7, sink="speaker")
        began = time.monotonic()
        done = first.wait()
        took_s = time.monotonic() - began
        assert (second.position, second.wait().why) == (1, "end")
        assert client.say("好" * 3, sink="speaker").wait().why == "end"
    assert (done.why, done.samples) == ("end", 20 * 800)
    assert took_s >= 1.0
    assert first.ttfa_ms is not None
    assert first.ttfa_ms < 1000
    spoken = [speech(20), speech(7), speech(3)]
    assert without_gaps(heard[0]) == without_gaps(b"".join(spoken)), "all of it, and nothing else"
    if client.status().speaker.underruns == 0:  # a machine too busy puts gaps in, and says so
        assert all(part in heard[0] for part in spoken)


def test_cancel_fades_without_a_click_and_the_next_is_whole(sink: Sink, client: Client) -> None:
    with sink.record() as heard:
        spoken = client.say("好" * 100, sink="speaker")
        time.sleep(0.6)
        spoken.cancel()
        assert spoken.wait().why == "cancelled"
        assert client.say("好" * 3, sink="speaker").wait().why == "end"
    pcm, after = samples(heard), heard[0].rfind(speech(3)) // 2
    assert after > 0
    cancelled = np.trim_zeros(pcm[:after])
    steepest = 32767 * 0.5 * 2 * np.pi * 441.3 / RATE  # of the tone itself
    assert np.abs(np.diff(np.append(cancelled, 0))).max() <= 1.05 * steepest
    assert 0.2 * RATE < len(cancelled) < 1.5 * RATE, "5 s were asked for"
    last_block = np.abs(cancelled[-128:])  # 8 ms
    assert last_block[:32].max() > 8 * max(1, last_block[-32:].max())


def test_cancel_silences_the_sink_soon(sink: Sink, client: Client) -> None:
    """Within 20 ms and the latency of the device, and half a second for a machine too busy."""
    late_s = []
    for _ in range(5):
        with sink.listen() as heard:
            spoken = client.say("好" * 100, sink="speaker")
            time.sleep(0.6)
            asked = time.monotonic()
            spoken.cancel()
            assert spoken.wait().why == "cancelled"
        loud = np.flatnonzero(np.abs(heard.samples()) > 300)
        late_s.append(heard.played_at(int(loud[-1])) - asked)
    device_s = client.status().speaker.latency_ms / 1000
    assert min(late_s) < 0.02 + device_s + 0.05, late_s
    assert float(np.median(late_s)) < 0.02 + device_s + 0.5, late_s


BLOCKS = """
import threading
from daemon.config import SpeakerConfig
from daemon.outputs import Outputs

class Source:
    def __init__(self): self.frames, self.many = [], threading.Event()
    def prepare(self, rate): ...
    def fill(self, out, frames, _time, _status):
        out[:] = bytes(len(out))
        self.frames.append(frames)
        if len(self.frames) == 20: self.many.set()

source = Source()
with_latency = SpeakerConfig(latency_s=0.08)
output = Outputs(with_latency, source, lambda: None).open(16000)
assert source.many.wait(20)
output.shut()
print(max(source.frames))
"""


def test_the_device_asks_for_an_eighth_of_the_latency(sink: Sink) -> None:
    """A cancel waits for the next block."""
    command = [sys.executable, "-c", BLOCKS]
    told = subprocess.run(command, env=sink.env, capture_output=True, text=True, check=True)
    assert int(told.stdout) <= 1.1 * 0.08 * RATE / PERIODS


def test_speech_of_another_rate_is_resampled(sink: Sink, client: Client) -> None:
    with sink.record() as heard:
        done = client.say("好" * 30, sink="speaker", voice="tone24k").wait()
    assert done.audio_s == pytest.approx(1.0)
    pcm = samples(heard)
    loud = np.flatnonzero(np.abs(pcm) > 100)
    voiced = pcm[loud[0] : loud[-1] + 1]
    assert len(voiced) / RATE == pytest.approx(1.0, abs=0.01)
    spectrum = np.abs(np.fft.rfft(voiced * np.hanning(len(voiced))))
    peak = float(spectrum.argmax()) * RATE / len(voiced)
    assert peak == pytest.approx(441.3 * 24000 / RATE, abs=2)


@pytest.mark.parametrize("fault", ["unplugged", "server killed"])
def test_a_lost_sink_is_noticed_and_reopened(sink: Sink, client: Client, fault: str) -> None:
    def speaker() -> SpeakerStatus:
        return client.status().speaker

    assert client.say("好", sink="speaker").wait().why == "end"
    sink.unplug() if fault == "unplugged" else sink.stop(signal.SIGKILL)
    wait_until(lambda: not speaker().available)
    assert client.say("好" * 3).wait().why == "end", "clients are served meanwhile"
    sink.plug_in() if fault == "unplugged" else sink.start()
    wait_until(lambda: speaker().available)
    assert speaker().reopened >= 1
    with sink.record() as heard:
        assert client.say("好" * 10, sink="speaker").wait().why == "end"
    assert without_gaps(heard[0]).endswith(without_gaps(speech(10)))
    if speaker().underruns == 0:
        assert speech(10) in heard[0]


def test_speech_on_a_sink_that_stays_lost_ends_in_an_error(sink: Sink, client: Client) -> None:
    spoken = client.say("好" * 200, sink="speaker")
    time.sleep(0.3)
    sink.unplug()
    with pytest.raises(SpeechError) as caught:
        spoken.wait()
    assert caught.value.code == "speaker_unavailable"
    sink.plug_in()


def test_a_frozen_sound_server_is_told_as_a_stall(sink: Sink, folder: Path) -> None:
    sink.env["TONE_STALL_S"] = "2"
    with playing(sink, folder) as client:
        assert client.say("好", sink="speaker").wait().why == "end"
        sink.freeze()
        try:
            wait_until(lambda: client.status().stalled == "the speaker", 30)
            assert client.say("好" * 3).wait().why == "end", "clients are served meanwhile"
        finally:
            sink.freeze(thaw=True)
        wait_until(lambda: not client.status().stalled, 30)
        wait_until(lambda: client.status().speaker.available, 30)
        assert client.say("好", sink="speaker").wait().why == "end"
