"""A daemon with a real voice of random weights that keeps what it says, for tests of that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sambertd_client import Client
from sambertd_client import protocol as wire

from benchmarks import random_voice
from daemon.cache_config import CacheConfig
from daemon.config import Config, EngineConfig, Limits, SpeakerConfig
from daemon.server import Server

TEXT = "电梯正在上行，请站稳扶好。"
OTHER = "今天天气真好。"


@pytest.fixture(scope="session")
def tiny_voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voices")
    random_voice.write(random_voice.tiny(nsf=False), folder / "one", "one")
    return folder


Start = Callable[..., Server]


@pytest.fixture
def endpoint(folder: Path) -> str:
    return f"ipc://{folder / 'd.sock'}"


@pytest.fixture
def start_keeping(folder: Path, tiny_voices: Path, endpoint: str) -> Iterator[Start]:
    """Starts a daemon with these settings of the cache, and ends the one before."""
    running: list[tuple[Server, threading.Thread]] = []

    def stop() -> None:
        while running:
            server, thread = running.pop()
            server.stop()
            thread.join(30)
            assert not thread.is_alive()

    def start(in_work: int = 4, **settings: object) -> Server:
        stop()
        cache = replace(CacheConfig(folder=folder / "phrases"), **settings)  # type: ignore[arg-type]
        engines = EngineConfig(build="never", store=folder / "engines")
        quiet = SpeakerConfig(enabled=False)
        server = Server(
            Config(
                endpoint, tiny_voices, "", "info", Limits(in_work=in_work), engines, cache, quiet
            )
        )
        thread = threading.Thread(target=server.run)
        running.append((server, thread))
        thread.start()
        with Client(endpoint, timeout=30, wait_s=30) as client:
            while client.status().state == "loading":
                time.sleep(0.01)
        return server

    yield start
    stop()


def say(endpoint: str, text: str = TEXT, **wishes: object) -> tuple[bytes, float]:
    """Its PCM, and the share of it that was kept from earlier."""
    with Client(endpoint, timeout=30) as client:
        speech = client.say(text, **wishes)  # type: ignore[arg-type]
        pcm = speech.read()
        assert speech.done is not None
        assert len(pcm) == 2 * speech.done.samples > 0
        return pcm, speech.done.cached


def kept(endpoint: str) -> wire.CacheFigures:
    with Client(endpoint) as client:
        told = client.stats().cache
        assert told is not None
        assert client.status().cache is not None
        return told
