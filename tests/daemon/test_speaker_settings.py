"""The settings of the speaker: on real sinks where that shows more, else sample by sample."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sambertd_client import Client

from daemon.config import SpeakerConfig
from daemon.outputs import Output, Outputs
from daemon.playback import Speaker
from daemon.ring import Samples
from daemon.worker import pcm_s16le
from tests.daemon.live import LiveDaemon
from tests.daemon.sink import Sink, missing, playing, speech, wait_until, without_gaps
from tests.daemon.test_ring import noise
from tests.daemon.tone import RATE, tone

FINE = SimpleNamespace(output_underflow=False)


def settings(folder: Path, **values: Any) -> tuple[str, str]:
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in values.items()]
    file = folder / "sambertd.toml"
    file.write_text("[speaker]\n" + "".join(lines))
    return "--config", str(file)


def heard(speaker: Speaker, frames: int, channels: int = 1, block: int = 160) -> Samples:
    """What a card gets that asks for blocks, (frames, channels)."""
    blocks = []
    for _ in range(0, frames, block):
        out = bytearray(2 * block * channels)
        speaker.fill(out, block, None, FINE)
        blocks.append(np.frombuffer(out, np.int16).reshape(block, channels))
    return np.concatenate(blocks)


def speaker_of(**values: Any) -> Speaker:
    speaker = Speaker(SpeakerConfig(**values), lambda: None)
    speaker.prepare(RATE)
    return speaker


def said(speaker: Speaker, pcm: Samples) -> None:
    speaker.begin(RATE)
    assert speaker.write(pcm.tobytes())
    assert speaker.end()


def test_all_channels_play_the_same() -> None:
    speaker, pcm = speaker_of(channels=2), noise(6000)
    said(speaker, pcm)
    out = heard(speaker, 10000, channels=2, block=5000)
    np.testing.assert_array_equal(out[:6000], np.stack([pcm, pcm], 1))
    assert not out[6000:].any()
    assert speaker.underruns == 0


def test_gain_is_in_decibels_and_what_gets_too_loud_is_clipped() -> None:
    pcm = noise(1600)
    softer, louder = speaker_of(gain_db=-20.0), speaker_of(gain_db=20.0)
    for speaker in (softer, louder):
        said(speaker, pcm)
    np.testing.assert_allclose(heard(softer, 1600)[:, 0], pcm / 10, atol=0.5)
    wanted = np.clip(pcm.astype(int) * 10, -32768, 32767)
    np.testing.assert_allclose(heard(louder, 1600)[:, 0], wanted, atol=1)


def test_silence_leads_in_after_a_pause_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    speaker, pcm = speaker_of(lead_in_s=0.5), noise(1600)
    said(speaker, pcm)
    assert not heard(speaker, 8000).any()
    assert speaker.started_at is None, "silence is not the first audio"
    np.testing.assert_array_equal(heard(speaker, 1600)[:, 0], pcm)
    assert speaker.started_at is not None
    said(speaker, pcm)
    np.testing.assert_array_equal(heard(speaker, 1600)[:, 0], pcm)
    monkeypatch.setattr("daemon.playback.PAUSE_S", 0.1)
    time.sleep(0.25)
    said(speaker, pcm)
    assert not heard(speaker, 8000).any()
    np.testing.assert_array_equal(heard(speaker, 1600)[:, 0], pcm)
    speaker.prepare(RATE)  # the card was lost, or closed while idle
    monkeypatch.setattr("daemon.playback.PAUSE_S", 100)
    said(speaker, pcm)
    assert not heard(speaker, 8000).any()
    assert speaker.underruns == 0


def test_the_null_device_takes_speech_in_real_time_and_needs_no_portaudio(
    start_daemon: Callable[..., LiveDaemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    daemon = start_daemon(SpeakerConfig(device="null"))
    with Client(daemon.endpoint) as client:
        began = time.monotonic()
        done = client.say("好" * 20, sink="speaker").wait()
        took_s = time.monotonic() - began
        sound = client.status().speaker
        spoken = client.say("好" * 100, sink="speaker")
        time.sleep(0.2)
        spoken.cancel()
        assert spoken.wait().why == "cancelled"
    assert (done.why, done.audio_s) == ("end", 1.0)
    assert 1.0 <= took_s < 3
    assert (sound.device, sound.rate, sound.underruns) == ("null", RATE, 0)


def test_a_device_nobody_uses_is_closed_and_opened_for_the_next(
    start_daemon: Callable[..., LiveDaemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    real = Outputs.open

    def counted(self: Outputs, rate: int, **options: Any) -> Output:
        opened.append(real(self, rate, **options))
        return opened[-1]

    monkeypatch.setattr(Outputs, "open", counted)
    daemon = start_daemon(SpeakerConfig(device="null", idle_close_s=1.0))
    with Client(daemon.endpoint) as client:
        assert client.say("好" * 40, sink="speaker").wait().why == "end"
        assert len(opened) == 1, "it stays open while it speaks"
        wait_until(lambda: not opened[0].stream._thread.is_alive())
        assert client.status().speaker.available
        done = client.say("好" * 3, sink="speaker").wait()
        assert done.why == "end"
        sound = client.status().speaker
    assert (len(opened), sound.reopened) == (2, 0)


@pytest.fixture
def needs_sound() -> None:
    if missing():
        pytest.skip(missing())


@pytest.mark.audio
@pytest.mark.usefixtures("needs_sound")
class TestOnARealSink:
    def test_two_channels_sample_by_sample(self, folder: Path) -> None:
        sink = Sink(folder, channels=2)
        with playing(sink, folder, *settings(folder, channels=2)) as client:
            with sink.record() as heard:
                assert client.say("好" * 10, sink="speaker").wait().why == "end"
            clean = client.status().speaker.underruns == 0
        sink.stop()
        both = np.frombuffer(heard[0], "<i2").reshape(-1, 2)
        np.testing.assert_array_equal(both[:, 0], both[:, 1])
        assert without_gaps(both[:, 0].tobytes()) == without_gaps(speech(10))
        if clean:
            assert speech(10) in both[:, 0].tobytes()

    @staticmethod
    def _exchange(sink: Sink, name: str) -> None:
        """The server restarts with another sink; while it runs, it would move the stream itself."""
        sink.stop(signal.SIGKILL)
        sink.names = (name,)
        sink.start()

    def test_the_next_of_the_order_plays_until_the_wanted_one_is_back(self, folder: Path) -> None:
        sink = Sink(folder)
        order = settings(folder, device="ci", fallback=["second", "null"])
        with playing(sink, folder, *order) as client:

            def plays_on(name: str) -> bool:
                speaker = client.status().speaker
                return speaker.available and speaker.device == name

            assert plays_on("ci")
            self._exchange(sink, "second")
            wait_until(lambda: plays_on("second"))
            with sink.record("second") as heard:
                assert client.say("好" * 10, sink="speaker").wait().why == "end"
            assert without_gaps(heard[0]) == without_gaps(speech(10))
            sink.stop()
            wait_until(lambda: plays_on("null"))
            assert client.say("好" * 3, sink="speaker").wait().why == "end"
            sink.names = ("ci",)
            sink.start()
            wait_until(lambda: plays_on("ci"), 15)
            with sink.record() as heard:
                assert client.say("好" * 10, sink="speaker").wait().why == "end"
            assert without_gaps(heard[0]) == without_gaps(speech(10))
        sink.stop()

    def test_closed_while_idle_and_whole_when_opened_again(self, folder: Path) -> None:
        sink = Sink(folder)
        with playing(sink, folder, *settings(folder, idle_close_s=1, lead_in_s=0.3)) as client:
            wait_until(lambda: not sink.control("list", "short", "sink-inputs").strip())
            assert client.status().speaker.available
            with sink.record() as heard:
                assert client.say("好" * 10, sink="speaker").wait().why == "end"
            speaker = client.status().speaker
        sink.stop()
        assert without_gaps(heard[0]) == without_gaps(speech(10))
        assert speaker.reopened == 0
        if speaker.underruns == 0:
            assert speech(10) in heard[0]

    def test_gain_on_the_way_to_the_card(self, folder: Path) -> None:
        sink = Sink(folder)
        quiet = settings(folder, gain_db=-6.0206)
        with playing(sink, folder, *quiet) as client, sink.record() as heard:
            assert client.say("好" * 10, sink="speaker").wait().why == "end"
        sink.stop()
        pcm = np.frombuffer(pcm_s16le(tone(0)), "<i2")
        loudest = np.abs(np.frombuffer(heard[0], "<i2").astype(int)).max()
        assert loudest == pytest.approx(np.abs(pcm.astype(int)).max() / 2, abs=2)
