"""Engines swapped in while the daemon speaks: real sockets, real graphs, a slow build."""

from __future__ import annotations

import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sambertd_client import Client, RefusedError, cli
from sambertd_client import protocol as wire
from sambertd_client.endpoint import is_listening

from benchmarks import random_voice
from daemon.building import Builder, Command
from daemon.config import Config, EngineConfig, Limits, SpeakerConfig
from daemon.server import Server
from daemon.voices import Shelf, load_voices
from engines.pack import VoicePack
from engines.store import Store
from tests.daemon import slow_build
from tests.daemon.live import RawClient

TEXTS = ("今天好。", "一二三四五。", "电梯正在上行，请站稳扶好。", "您好！", "再见。")
LONG = "今天天气真好，阳光洒在窗台上。" * 12
CLIENTS = 5


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voices")
    random_voice.write(random_voice.tiny(nsf=False), folder / "one", "one")
    return folder


@dataclass
class Live:
    """A daemon with a real voice, and who watches over what it had loaded first."""

    endpoint: str
    server: Server
    first: list[weakref.ref[Any]] = field(default_factory=list)

    def engines(self) -> wire.VoiceEngines:
        with Client(self.endpoint, timeout=20) as client:
            return client.engines().voices[0]

    def until(self, seen: Callable[[wire.VoiceEngines], bool]) -> wire.VoiceEngines:
        """What the daemon says of its engines once that has been seen."""
        deadline = time.monotonic() + 60
        while not seen(engines := self.engines()):
            assert time.monotonic() < deadline, engines
            time.sleep(0.02)
        return engines

    def until_gone(self) -> None:
        """Wait until the voice of the start has left the memory.

        A client that left when its credit was used up is missed after `limits.stall_s` only.
        """
        deadline = time.monotonic() + 2 * Limits().stall_s
        while any(reference() is not None for reference in self.first):
            assert time.monotonic() < deadline, "the old voice is still held"
            time.sleep(0.02)


Start = Callable[..., Live]


@pytest.fixture
def start(folder: Path, voices: Path) -> Iterator[Start]:
    """Starts a daemon whose builds are this command, and returns once its status says `detail`.

    It is ended cleanly at the end, threads and all.
    """
    running: list[tuple[Server, threading.Thread]] = []

    def start(command: Command, build: str = "background", detail: str = "ready") -> Live:
        engines = EngineConfig(build=build, store=folder / "engines")
        limits = Limits(in_work=8, waiting=20)
        endpoint = f"ipc://{folder / 'd.sock'}"
        quiet = SpeakerConfig(enabled=False)
        config = Config(endpoint, voices, limits=limits, engines=engines, speaker=quiet)
        builder = Builder(engines.store, command, after_s=0.1)
        wait = builder.build if build == "wait" else None

        def load(tell: Callable[[str], None]) -> Shelf:
            shelf = load_voices(voices, "", engines, limits.in_work, tell, wait)
            sessions = shelf.residents["one"].voice.sessions.values()
            live.first = [weakref.ref(shelf.voices["one"]), *map(weakref.ref, sessions)]
            return shelf

        live = Live(endpoint, Server(config, load, builder))
        thread = threading.Thread(target=live.server.run)
        running.append((live.server, thread))
        thread.start()
        with Client(endpoint, timeout=30, wait_s=30) as client:
            while client.status().detail != detail:
                time.sleep(0.01)
        return live

    yield start
    for server, thread in running:
        server.stop()
        thread.join(30)
        assert not thread.is_alive()
    assert not [t.name for t in threading.enumerate() if t.name.startswith(("decoder-", "builds"))]


def built(engines: wire.VoiceEngines) -> bool:
    return all(graph.built == slow_build.BUILT for graph in engines.graphs)


def came_along(engines: wire.VoiceEngines) -> bool:
    return not any(graph.built for graph in engines.graphs)


def speak(endpoint: str, text: str) -> bytes:
    with Client(endpoint, timeout=60) as client:
        return client.say(text).read()


def test_a_swap_under_load_drops_and_garbles_nothing(start: Start, folder: Path) -> None:
    live = start(slow_build.command("on_demand", 0.5))
    wanted = {text: speak(live.endpoint, text) for text in TEXTS}
    live.until(lambda e: e.build.progress == 0.75)
    swapped, heard = threading.Event(), Counter[tuple[bool, bool]]()

    def talk(number: int) -> list[str]:
        """One text after another until a while after the swap; what went wrong."""
        wrong, left = [], 3
        with Client(live.endpoint, timeout=60) as client:
            while left:
                text, before = TEXTS[(number + left) % len(TEXTS)], swapped.is_set()
                speech = client.say(text, cache="ignore")
                pcm = speech.read()
                if pcm != wanted[text]:
                    wrong.append(f"{text}: {len(pcm)} bytes, not {len(wanted[text])} as before")
                if speech.done is None or speech.done.why != "end":
                    wrong.append(f"{text}: {speech.done}")
                heard[before, swapped.is_set()] += 1
                left -= before
        return wrong

    with ThreadPoolExecutor(CLIENTS) as pool:
        talks = [pool.submit(talk, number) for number in range(CLIENTS)]
        try:
            while heard.total() < 2 * CLIENTS:
                time.sleep(0.01)
            (folder / "engines").mkdir(exist_ok=True)  # the build may not have come to it yet
            (folder / "engines" / "go").touch()
            engines = live.until(built)
        finally:
            swapped.set()  # so that nobody talks for ever
        assert [talk.result(120) for talk in talks] == [[]] * CLIENTS
    assert heard.total() >= 20
    assert heard[False, False], "some ended before"
    assert heard[True, True], "some began after"
    assert {graph.backend for graph in engines.graphs} == {"ort-cpu"}
    live.until(lambda e: e.build.state == "done")
    with Client(live.endpoint) as client:
        status = client.status()
    assert (status.done, status.failed) == (heard.total() + len(TEXTS), 0)
    assert status.engines == ["one: ort-cpu fp32 (6)"]
    live.until_gone()


def test_speech_that_is_under_way_ends_on_the_old_voice(start: Start) -> None:
    live = start(slow_build.command("good", 0.5))
    client = RawClient(live.endpoint)
    try:
        client.send("say", text=LONG, id="long", credit=1)
        live.until(built)
        assert all(reference() is not None for reference in live.first), "it is still speaking"
        client.send("credit", id="long", grant=1024)
        kinds, pcm = Counter[str](), b""
        while not kinds["done"]:
            header, piece = client.receive(60)
            kinds[header["t"]] += 1
            pcm += piece
        assert header["why"] == "end"
        assert client.silent(), "one done, and nothing after it"
    finally:
        client.close()
    assert kinds["accepted"] == kinds["done"] == 1
    live.until_gone()
    assert speak(live.endpoint, LONG) == pcm, "the same on the new voice"


def test_a_swap_while_streams_are_cancelled_and_clients_leave(start: Start) -> None:
    live = start(slow_build.command("good", 1.0))
    while not built(live.engines()):
        with Client(live.endpoint, timeout=20) as client:
            client.say(LONG, cache="ignore")  # and gone
            speech = client.say(LONG, cache="ignore")
            next(iter(speech))
            speech.cancel()
    live.until_gone()
    assert speak(live.endpoint, TEXTS[0])


@pytest.mark.parametrize(("outcome", "state"), [("locked", "elsewhere"), ("refused", "failed")])
def test_engines_that_somebody_else_built_end_what_was_said_of_the_build(
    start: Start, folder: Path, voices: Path, outcome: str, state: str
) -> None:
    live = start(slow_build.command(outcome))
    live.until(lambda e: e.build.state == state)
    with Client(live.endpoint) as client:
        (line,) = client.status().engines
    assert ("another process builds: process 7" in line) == (state == "elsewhere"), line
    slow_build.good(VoicePack(voices / "one"), Store(folder / "engines"))
    engines = live.until(lambda e: built(e) and e.build.state == "current")
    assert (engines.build.text, engines.refused) == ("", [])
    with Client(live.endpoint) as client:
        assert client.status().engines == ["one: ort-cpu fp32 (6)"]


BAD = {
    "killed": ("failed", "SIGKILL", []),
    "refused": ("failed", "no calibration.txt", []),
    "corrupt": ("done", "", ["engine_corrupt"]),
    "stale": ("done", "", ["engine_stale"]),
    "foreign": ("done", "", ["engine_stale"]),
    "unfit": ("done", "", ["voice_broken"]),
    "nan": ("done", "", ["voice_broken"]),
    "no_manifest": ("done", "", ["store_broken"]),
}


@pytest.mark.parametrize("outcome", BAD)
def test_whatever_becomes_of_a_build_the_daemon_speaks_on(start: Start, outcome: str) -> None:
    state, words, codes = BAD[outcome]
    live = start(slow_build.command(outcome))
    wanted = speak(live.endpoint, TEXTS[1])
    engines = live.until(lambda e: e.build.state == state and len(e.refused) == len(codes))
    assert words in engines.build.text
    assert [refused.code for refused in engines.refused] == codes
    assert came_along(engines)
    assert speak(live.endpoint, TEXTS[1]) == wanted
    with Client(live.endpoint) as client:
        (line,) = client.status().engines
    assert ("failed: " in line) == (state == "failed")
    assert ("not used: " in line) == bool(codes)


def test_a_store_that_cannot_be_read_or_written(start: Start, folder: Path) -> None:
    (folder / "engines").write_text("a file where a folder should be")
    live = start(slow_build.command("good"))
    engines = live.until(lambda e: e.build.state == "failed")
    assert [refused.code for refused in engines.refused] == ["store_broken"]
    assert speak(live.endpoint, TEXTS[0])


def test_engines_built_by_hand_are_taken_too(start: Start, folder: Path, voices: Path) -> None:
    live = start(slow_build.command("refused"), build="never")
    assert live.engines().build.state == "never"
    slow_build.good(VoicePack(voices / "one"), Store(folder / "engines"))
    live.until(built)
    assert speak(live.endpoint, TEXTS[0])
    live.until_gone()


def test_sambertctl_shows_them(
    start: Start, folder: Path, voices: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = VoicePack(voices / "one")
    graphs = {"vocoder": slow_build.resaved(pack, "vocoder"), "memory": b""}
    slow_build.publish(Store(folder / "engines"), pack, graphs)
    live = start(slow_build.command("refused"))
    live.until(lambda e: e.build.state == "failed")
    assert cli.main(["engines", "--endpoint", live.endpoint]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("one: the build failed: build: the pack has no calibration.txt")
    rows = {line.split()[0]: line for line in lines[2:8]}
    assert list(rows) == list(pack.graphs)
    assert rows["vocoder"].split()[1:3] == ["ort-cpu", "fp32"]
    assert " 1.50 " in rows["vocoder"]
    assert rows["vocoder"].endswith(" d ago")
    for graph in ("memory", "encoder"):
        assert rows[graph].endswith("came with the voice")
    assert cli.main(["status", "--endpoint", live.endpoint]) == 0
    assert "engines: one: ort-cpu fp32 (6); the build failed: " in capsys.readouterr().out


def test_engines_of_the_last_run_speak_at_once_and_nothing_is_built(
    start: Start, folder: Path, voices: Path
) -> None:
    slow_build.good(VoicePack(voices / "one"), Store(folder / "engines"))
    live = start(slow_build.command("killed"))
    engines = live.engines()
    assert built(engines)
    assert engines.build.state == "current"
    time.sleep(0.5)
    assert live.engines().build.state == "current"


@pytest.mark.parametrize("outcome", ["good", "refused"])
def test_a_daemon_that_waits_is_ready_once_the_build_has_ended(start: Start, outcome: str) -> None:
    live = start(slow_build.command(outcome), build="wait")
    engines = live.engines()
    assert built(engines) == (outcome == "good")
    assert engines.build.state == ("done" if outcome == "good" else "failed")
    assert speak(live.endpoint, TEXTS[0])


def test_progress_is_told_while_it_builds_and_a_stop_does_not_wait(start: Start) -> None:
    live = start(slow_build.command("good", 300))
    engines = live.until(lambda e: e.build.progress is not None)
    assert (engines.build.state, engines.build.text) == ("running", "graph 1 of 4: making it")
    with Client(live.endpoint) as client:
        assert client.status().engines == [
            "one: ort-cpu fp32 (6); building 0 %: graph 1 of 4: making it"
        ]
    began = time.monotonic()
    live.server.stop()
    while is_listening(live.endpoint):
        time.sleep(0.02)
    assert time.monotonic() - began < 5


def test_a_daemon_that_waits_for_a_build_tells_it_and_can_be_stopped(
    start: Start, folder: Path
) -> None:
    live = start(
        slow_build.command("endless"), "wait", "building engines for one: graph 4 of 4: making it"
    )
    with Client(live.endpoint) as client, pytest.raises(RefusedError, match="building engines"):
        client.say(TEXTS[0])
    while not (folder / "engines" / "pids").exists():
        time.sleep(0.02)
    began = time.monotonic()
    live.server.stop()
    while is_listening(live.endpoint):
        time.sleep(0.02)
    assert time.monotonic() - began < 5
