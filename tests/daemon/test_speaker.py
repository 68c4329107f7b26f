"""Real playback: daemon -> PortAudio -> ALSA -> a PulseAudio sink without a card, recorded."""

from __future__ import annotations

import contextlib
import ctypes.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sambertd_client import Client, SpeechError
from sambertd_client.protocol import SpeakerStatus

from daemon.worker import pcm_s16le
from tests.daemon.tone import RATE, tone

pytestmark = pytest.mark.audio
NULL_SINK = "sink_name=ci rate=16000 channels=1 format=s16le norewinds=1"


def missing() -> str:
    tools = [name for name in ("pulseaudio", "pactl", "parec") if shutil.which(name) is None]
    plugin = any(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so"))
    if tools or not plugin or ctypes.util.find_library("portaudio") is None:
        return (
            "needs `apt install pulseaudio pulseaudio-utils libportaudio2 libasound2-plugins` "
            "to play without a sound card"
        )
    return ""


class Sink:
    """A private PulseAudio with one sink without a card; ALSA's default leads there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / ".asoundrc").write_text(
            "pcm.!default { type pulse }\nctl.!default { type pulse }\n"
        )
        self.env = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{folder}/native",
            "PULSE_COOKIE": f"{folder}/cookie",
        }
        self._server: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        socket = self._folder / "native"
        socket.unlink(missing_ok=True)
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
        command += ["-L", f"module-null-sink {NULL_SINK}"]
        command += ["-L", f"module-native-protocol-unix auth-anonymous=1 socket={socket}"]
        quiet = subprocess.DEVNULL
        self._server = subprocess.Popen(command, env=self.env, stdout=quiet, stderr=quiet)
        wait_until(socket.exists)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        assert self._server is not None
        self._server.send_signal(how)
        self._server.wait(10)

    def control(self, *arguments: str) -> str:
        return subprocess.run(
            ["pactl", *arguments], env=self.env, capture_output=True, text=True, timeout=10
        ).stdout

    def unplug(self) -> None:
        modules = self.control("list", "short", "modules").splitlines()
        (module,) = [line.split("\t")[0] for line in modules if "null-sink" in line]
        self.control("unload-module", module)

    def plug_in(self) -> None:
        self.control("load-module", "module-null-sink", *NULL_SINK.split())

    @contextlib.contextmanager
    def record(self) -> Iterator[list[bytes]]:
        """What the sink plays; the list holds it after the block."""
        heard: list[bytes] = []
        command = ["parec", "-d", "ci.monitor", "--raw", "--rate=16000", "--channels=1"]
        command += ["--format=s16le", "--latency-msec=20"]
        with subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            stdout = process.stdout
            reader = threading.Thread(target=lambda: heard.append(stdout.read()))
            reader.start()
            wait_until(lambda: bool(self.control("list", "short", "source-outputs").strip()))
            time.sleep(0.2)
            try:
                yield heard
            finally:
                time.sleep(0.3)
                process.send_signal(signal.SIGINT)
                reader.join(5)


def wait_until(happened: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def sink(folder: Path) -> Iterator[Sink]:
    if missing():
        pytest.skip(missing())
    sink = Sink(folder)
    yield sink
    sink.stop()


@pytest.fixture
def client(sink: Sink, folder: Path) -> Iterator[Client]:
    """A client of a daemon that plays on the sink."""
    endpoint = f"ipc://{folder}/d.sock"
    command = [sys.executable, "-m", "tests.daemon.tone_daemon", "--endpoint", endpoint]
    log = (folder / "log").open("wb")
    with log, subprocess.Popen(command, env=sink.env, stderr=log) as process:
        with Client(endpoint) as connected:
            connected.timeout = 15
            wait_until(lambda: connected.status().state == "ready")
            connected.timeout = 5
            assert connected.status().speaker.available, (folder / "log").read_text()
            yield connected
        process.terminate()
        assert process.wait(10) == 0


def speech(characters: int) -> bytes:
    return b"".join(pcm_s16le(tone(index)) for index in range(characters))


def samples(heard: list[bytes]) -> NDArray[np.int64]:
    return np.frombuffer(heard[0], "<i2").astype(int)


def without_gaps(pcm: bytes) -> bytes:
    """The samples that are not zero, which the tone itself passes only singly."""
    heard = np.frombuffer(pcm, "<i2")
    sounding: bytes = heard[heard != 0].tobytes()
    return sounding


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
