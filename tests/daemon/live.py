"""A real daemon with the humming voice, and a bare client, for the tests of both sides."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
import zmq
from sambertd_client import Client
from sambertd_client.endpoint import is_listening

from daemon.access_config import AccessConfig
from daemon.config import Config, Limits, SpeakerConfig
from daemon.metrics_config import MetricsConfig
from daemon.server import Server
from daemon.voices import Shelf
from tests.daemon.tone import ToneVoice


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: pytest's own may exceed the 107 bytes of a socket's."""
    path = Path(tempfile.mkdtemp(prefix="sd-"))
    yield path
    shutil.rmtree(path)


class LiveDaemon:
    """A real server on a real socket, in a thread, with the humming voice."""

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        speaker: SpeakerConfig,
        access: AccessConfig,
        endpoint: str,
        metrics: str = "",
    ) -> None:
        self.endpoint = endpoint or f"ipc://{folder / 'd.sock'}"
        self.voice = ToneVoice()
        config = Config(
            endpoint=self.endpoint,
            voices=folder,
            limits=limits,
            speaker=speaker,
            access=access,
            metrics=MetricsConfig(metrics),
        )
        shelf = Shelf(voices={"tone": self.voice})
        self.server = Server(config, lambda _: shelf)
        self.exit_code: int | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self.exit_code = self.server.run()

    def start(self, *, awaited: bool = True) -> None:
        self._thread.start()
        if not awaited:
            return
        with Client(self.endpoint, timeout=20, wait_s=20) as client:
            while client.status().state == "loading":
                time.sleep(0.01)

    def stop(self) -> int | None:
        self.server.stop()
        return self.join()

    def join(self) -> int | None:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.exit_code


@pytest.fixture
def start_daemon(folder: Path) -> Iterator[Callable[..., LiveDaemon]]:
    """Starts a daemon with the given limits; stopped at the end, streams all closed."""
    running: list[LiveDaemon] = []

    def start(
        speaker: SpeakerConfig | None = None,
        access: AccessConfig | None = None,
        *,
        endpoint: str = "",
        metrics: str = "",
        awaited: bool = True,
        **limits: Any,
    ) -> LiveDaemon:
        sound = speaker or SpeakerConfig(enabled=False)
        live = LiveDaemon(
            folder, replace(Limits(), **limits), sound, access or AccessConfig(), endpoint, metrics
        )
        running.append(live)
        live.start(awaited=awaited)
        return live

    yield start
    for live in running:
        live.stop()
        assert live.voice.open_streams == 0


@pytest.fixture
def daemon(start_daemon: Callable[..., LiveDaemon]) -> LiveDaemon:
    return start_daemon()


class RawClient:
    """A bare DEALER with msgpack maps: what a client in another language would be."""

    def __init__(self, endpoint: str, rcvhwm: int = 1000) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVHWM, rcvhwm)
        self.socket.connect(endpoint)

    def send(self, kind: str | None, **fields: Any) -> None:
        self.socket.send(msgpack.packb({"v": 1, "t": kind, "id": "1", **fields}))

    def receive(self, timeout_s: float = 15.0) -> tuple[dict[str, Any], bytes]:
        assert self.socket.poll(int(timeout_s * 1000)), "no reply"
        frames = self.socket.recv_multipart()
        return msgpack.unpackb(frames[0]), frames[1] if len(frames) > 1 else b""

    def ask(self, kind: str | None, **fields: Any) -> dict[str, Any]:
        self.send(kind, **fields)
        return self.receive()[0]

    def silent(self, for_s: float = 0.2) -> bool:
        return not self.socket.poll(int(for_s * 1000))

    def close(self) -> None:
        self.socket.close()
        self._context.term()


class Listener:
    """A bare client of one utterance that has begun, and is heard to its end when that is told."""

    def __init__(self, endpoint: str, text: str, voice: str | None = None) -> None:
        self._client = RawClient(endpoint)
        self._client.send("say", text=text, credit=1, voice=voice)
        header, _ = self._client.receive()
        assert header["t"] == "accepted", header
        header, self._pcm = self._client.receive()
        assert header["t"] == "audio", header

    def rest(self) -> tuple[dict[str, Any], bytes]:
        """`done`, and the PCM from the start."""
        self._client.send("credit", grant=1024)
        while (got := self._client.receive(60))[0]["t"] == "audio":
            self._pcm += got[1]
        self._client.close()
        return got[0], self._pcm


Connect = Callable[..., RawClient]


@pytest.fixture
def raw_client() -> Iterator[Callable[..., RawClient]]:
    opened: list[RawClient] = []

    def connect(endpoint: str, **options: Any) -> RawClient:
        opened.append(RawClient(endpoint, **options))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()


@contextmanager
def served(voices: Path, folder: Path, *speaker: str) -> Iterator[str]:
    """The endpoint of a real `python -m daemon` that has loaded the voices of a folder.

    speaker: its options; without any it has no speaker.
    """
    endpoint = f"ipc://{folder / 'd.sock'}"
    command = [sys.executable, "-m", "daemon", "--endpoint", endpoint]
    engines = ["--build", "never", "--store", str(folder / "engines")]
    command += [*(speaker or ("--no-speaker",)), *engines, "--voices", str(voices)]
    environ = {**os.environ, "XDG_CACHE_HOME": str(folder)}  # of the phrases that are kept
    with subprocess.Popen(command, env=environ) as process:
        try:
            while not is_listening(endpoint):
                assert process.poll() is None, "it ended at once"
                time.sleep(0.05)
            with Client(endpoint) as client:
                while client.status().state == "loading":
                    time.sleep(0.05)
            yield endpoint
        finally:
            process.terminate()
        assert process.wait(20) == 0
