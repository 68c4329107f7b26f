"""A private PulseAudio whose sinks have no card, and the daemon that plays there, recorded."""

from __future__ import annotations

import contextlib
import ctypes.util
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from numpy.typing import NDArray
from sambertd_client import Client

from daemon.worker import pcm_s16le
from tests.daemon.tone import RATE, tone

SINKS = ("ci", "second")  # ALSA devices too, the first is the default


def missing() -> str:
    tools = [name for name in ("pulseaudio", "pactl", "parec") if shutil.which(name) is None]
    plugin = any(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so"))
    if tools or not plugin or ctypes.util.find_library("portaudio") is None:
        return (
            "needs `apt install pulseaudio pulseaudio-utils libportaudio2 libasound2-plugins` "
            "to play without a sound card"
        )
    return ""


def sink_of(folder: Path, names: tuple[str, ...] = SINKS[:1]) -> Iterator[Sink]:
    """For a fixture: a sound server that is stopped in the end; the test is skipped without."""
    if missing():
        pytest.skip(missing())
    sink = Sink(folder, names)
    yield sink
    sink.stop()


class Sink:
    """A private PulseAudio with sinks without a card; ALSA's default leads to "ci"."""

    def __init__(self, folder: Path, names: tuple[str, ...] = SINKS[:1], channels: int = 1) -> None:
        self._folder, self.names, self._channels = folder, names, channels
        devices = [f"pcm.{name} {{ type pulse device {name} }}" for name in SINKS]
        default = ["pcm.!default { type pulse }", "ctl.!default { type pulse }"]
        (folder / ".asoundrc").write_text("\n".join([*default, *devices, ""]))
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
        for name in self.names:
            command += ["-L", f"module-null-sink {self._sink(name)}"]
        command += ["-L", f"module-native-protocol-unix auth-anonymous=1 socket={socket}"]
        quiet = subprocess.DEVNULL
        self._server = subprocess.Popen(command, env=self.env, stdout=quiet, stderr=quiet)
        wait_until(socket.exists)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        assert self._server is not None
        self._server.send_signal(how)
        self._server.wait(10)

    def freeze(self, *, thaw: bool = False) -> None:
        """The server is there and does nothing, until it thaws."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT if thaw else signal.SIGSTOP)

    def _sink(self, name: str) -> str:
        form = f"rate=16000 channels={self._channels} format=s16le norewinds=1"
        return f"sink_name={name} {form}"

    def control(self, *arguments: str) -> str:
        return subprocess.run(
            ["pactl", *arguments], env=self.env, capture_output=True, text=True, timeout=10
        ).stdout

    def unplug(self, name: str = "ci") -> None:
        modules = self.control("list", "short", "modules").splitlines()
        (module,) = [line.split("\t")[0] for line in modules if f"sink_name={name} " in line]
        self.control("unload-module", module)

    def plug_in(self, name: str = "ci") -> None:
        self.control("load-module", "module-null-sink", *self._sink(name).split())

    @contextlib.contextmanager
    def listen(self, name: str = "ci") -> Iterator[Listener]:
        """What a sink plays, from now to the end of the block."""
        command = ["parec", "-d", f"{name}.monitor", "--raw", f"--rate={RATE}"]
        command += [f"--channels={self._channels}", "--format=s16le", "--latency-msec=20"]
        with subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            listener = Listener(process.stdout)
            wait_until(lambda: bool(self.control("list", "short", "source-outputs").strip()))
            time.sleep(0.2)
            try:
                yield listener
            finally:
                time.sleep(0.3)
                process.send_signal(signal.SIGINT)
                listener.join()

    @contextlib.contextmanager
    def record(self, name: str = "ci") -> Iterator[list[bytes]]:
        """What a sink plays; the list holds it after the block."""
        heard: list[bytes] = []
        with self.listen(name) as listener:
            yield heard
        heard.append(listener.pcm)


class Listener:
    """What is heard as it comes, with the time of each sample, of one channel."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._heard = bytearray()
        self._began = math.inf  # when the first sample was played, by the least delayed arrival
        self._thread = threading.Thread(target=self._run, args=(pipe,))
        self._thread.start()

    def _run(self, pipe: IO[bytes]) -> None:
        while piece := os.read(pipe.fileno(), 4096):
            self._heard += piece
            self._began = min(self._began, time.monotonic() - len(self._heard) / 2 / RATE)

    @property
    def pcm(self) -> bytes:
        return bytes(self._heard)

    def join(self) -> None:
        self._thread.join(5)

    def samples(self) -> NDArray[np.int64]:
        return np.frombuffer(self.pcm, "<i2").astype(int)

    def played_at(self, index: int) -> float:
        """By the monotonic clock, in seconds; late by the recorder's latency, never early."""
        return self._began + index / RATE


def wait_until(happened: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


@contextlib.contextmanager
def playing(sink: Sink, folder: Path, *options: str) -> Iterator[Client]:
    """A client of a daemon that plays on the sink."""
    endpoint = f"ipc://{folder}/d.sock"
    command = [sys.executable, "-m", "tests.daemon.tone_daemon", "--endpoint", endpoint]
    log = (folder / "log").open("wb")
    with log, subprocess.Popen([*command, *options], env=sink.env, stderr=log) as process:
        try:
            with Client(endpoint, wait_s=15) as connected:
                connected.timeout = 15
                wait_until(lambda: connected.status().state == "ready")
                connected.timeout = 5
                assert connected.status().speaker.available, (folder / "log").read_text()
                yield connected
        finally:
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
