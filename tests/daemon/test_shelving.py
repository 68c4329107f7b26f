"""Voices that come and go while others speak: real sockets, real graphs."""

from __future__ import annotations

import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sambertd_client import Client, RefusedError, cli
from sambertd_client import protocol as wire

from benchmarks import random_voice
from daemon.building import Builder, Command
from daemon.config import Config, EngineConfig, Limits, SpeakerConfig
from daemon.server import Server
from daemon.voices import SPARE, Shelf, load_voices
from tests.daemon import slow_build
from tests.daemon.live import Listener, RawClient, served

TEXT = "电梯正在上行，请站稳扶好。"
LONG = "今天天气真好，阳光洒在窗台上。" * 12
ROOT = Path(__file__).parents[2]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two packs of one name: their weights differ."""
    folder = tmp_path_factory.mktemp("packs")
    random_voice.write(random_voice.tiny(nsf=False), folder / "one", "one")
    random_voice.write(random_voice.tiny(nsf=False, seed=7), folder / "other", "one")
    return folder


def put(pack: Path, voices: Path, name: str, called: str = "") -> Path:
    """A copy of a pack in the folder `name`, as one would install it: whole or not at all."""
    staged, there = voices / f".{name}", voices / name
    shutil.copytree(pack, staged)
    toml = (staged / "voice.toml").read_text("utf-8")
    renamed = toml.replace('name = "one"', f'name = "{called or name}"')
    (staged / "voice.toml").write_text(renamed, "utf-8")
    if there.exists():
        shutil.rmtree(there)
    return staged.rename(there)


class Live:
    """A daemon in a thread, with the voice `one`."""

    def __init__(self, folder: Path, command: Command, build: str) -> None:
        self.voices, self.endpoint = folder / "voices", f"ipc://{folder / 'd.sock'}"
        engines = EngineConfig(build=build, store=folder / "engines")
        limits = Limits(in_work=2, waiting=20)
        quiet = SpeakerConfig(enabled=False)
        config = Config(self.endpoint, self.voices, limits=limits, engines=engines, speaker=quiet)
        self.shelf = Shelf()

        def load(tell: Callable[[str], None]) -> Shelf:
            self.shelf = load_voices(self.voices, "", engines, limits.in_work, tell)
            return self.shelf

        self.server = Server(config, load, Builder(engines.store, command, after_s=0))
        self.thread = threading.Thread(target=self.server.run)

    def client(self) -> Client:
        return Client(self.endpoint, timeout=30, wait_s=30)

    def say(self, text: str, voice: str | None = None) -> bytes:
        with self.client() as client:
            return client.say(text, voice=voice).read()

    def watched(self, name: str) -> list[weakref.ref[Any]]:
        voice: Any = self.shelf.voices[name]
        return [weakref.ref(voice), *map(weakref.ref, voice.sessions.values())]


def until_gone(watched: list[weakref.ref[Any]]) -> None:
    deadline = time.monotonic() + 10
    while any(reference() is not None for reference in watched):
        assert time.monotonic() < deadline, "it is still held"
        time.sleep(0.02)


Start = Callable[..., Live]


@pytest.fixture
def start(folder: Path, packs: Path) -> Iterator[Start]:
    running: list[Live] = []

    def start(command: Command | None = None, build: str = "never") -> Live:
        (folder / "voices").mkdir()
        put(packs / "one", folder / "voices", "one")
        live = Live(folder, command or slow_build.command("refused"), build)
        running.append(live)
        live.thread.start()
        with live.client() as client:
            while client.status().state == "loading":
                time.sleep(0.01)
        return live

    yield start
    for live in running:
        live.server.stop()
        live.thread.join(30)
        assert not live.thread.is_alive()
    assert not [t.name for t in threading.enumerate() if t.name.startswith(("decoder-", "builds"))]


def test_a_voice_comes_while_another_speaks(start: Start, packs: Path) -> None:
    live = start()
    wanted = live.say(LONG)
    with live.client() as listening, listening.subscribe("voices") as told:
        speech = RawClient(live.endpoint)
        speech.send("say", text=LONG, id="long", credit=1024)
        put(packs / "other", live.voices, "two")
        with live.client() as client:
            with pytest.raises(RefusedError, match="no voice 'two'"):
                client.say(TEXT, voice="two")
            loaded = client.load("two")
            assert (loaded.voice, loaded.replaced) == ("two", False)
            assert 0 < loaded.took_s < 30
            assert [voice.name for voice in client.voices().voices] == ["one", "two"]
            assert client.status().detail == "ready"
            assert len(client.say(TEXT, voice="two").read()) > 10000
        assert next(iter(told)).text == "two was loaded"
        pcm = b""
        while (got := speech.receive(60))[0]["t"] != "done":
            pcm += got[1]
        speech.close()
    assert pcm == wanted
    assert live.say(LONG) == wanted


def test_what_is_loaded_again_is_spoken_from_then_on(start: Start, packs: Path) -> None:
    live = start()
    before, whole = live.say(TEXT), live.say(LONG)
    first, listener = live.watched("one"), Listener(live.endpoint, LONG)
    put(packs / "other", live.voices, "one")
    with live.client() as client:
        assert client.load("one").replaced
    after = live.say(TEXT)
    assert after != before
    assert first[0]() is not None, "it still speaks"
    done, pcm = listener.rest()
    assert (done["why"], pcm) == ("end", whole)
    until_gone(first)
    assert live.say(TEXT) == after


def test_what_waits_is_spoken_by_what_was_loaded_meanwhile(start: Start, packs: Path) -> None:
    live = start()
    before = live.say(TEXT)
    all_places = [Listener(live.endpoint, LONG) for _ in range(2 + SPARE)]
    with ThreadOf(lambda: live.say(TEXT)) as waiting:
        with live.client() as client:
            while client.status().waiting != 1:
                time.sleep(0.01)
            put(packs / "other", live.voices, "one")
            client.load("one")
        for listener in all_places:
            assert listener.rest()[0]["why"] == "end"
    assert waiting.result == live.say(TEXT) != before


def test_a_voice_goes_while_it_speaks(start: Start, packs: Path) -> None:
    live = start()
    put(packs / "other", live.voices, "two")
    with live.client() as client:
        client.load("two")
        whole = live.say(LONG, "two")
        watched, listener = live.watched("two"), Listener(live.endpoint, LONG, "two")
        unloaded = client.unload("two")
        assert (unloaded.voice, unloaded.live) == ("two", 1)
        with pytest.raises(RefusedError) as refused:
            client.say(TEXT, voice="two")
        assert refused.value.code == wire.UNKNOWN_VOICE
        assert client.status().voices == ["one"]
        done, pcm = listener.rest()
        assert (done["why"], pcm) == ("end", whole)
        until_gone(watched)
        client.load("two")
        assert client.say(LONG, voice="two").read() == whole


class ThreadOf:
    """Does something on a thread; `result` is what came of it."""

    def __init__(self, what: Callable[[], bytes]) -> None:
        self.result: bytes | None = None
        self._what = what
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self.result = self._what()

    def __enter__(self) -> ThreadOf:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(60)


def code(ask: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(RefusedError) as refused:
        ask()
    return refused.value.code, str(refused.value)


def test_what_cannot_be_is_refused_by_name(start: Start, packs: Path) -> None:
    live = start()
    wanted = live.say(TEXT)
    put(packs / "other", live.voices, "double", called="one")
    spoiled = put(packs / "other", live.voices, "spoiled")
    (spoiled / "vocoder.onnx").write_bytes(b"no graph")
    with live.client() as client:
        for name in ("../voices/one", "/etc", "..", ".", ".one", "a\0b"):
            assert code(lambda name=name: client.load(name))[0] == wire.BAD_FIELD  # type: ignore[misc]
        assert code(lambda: client.load("none"))[0] == "voice_not_found"
        assert code(lambda: client.load("double"))[0] == "voice_broken"
        assert code(lambda: client.load("spoiled"))[0] == "voice_hash_mismatch"
        assert sorted(Path(one.path).name for one in client.voices().broken) == [
            "double",
            "spoiled",
        ]
        assert code(lambda: client.unload("none"))[0] == wire.UNKNOWN_VOICE
        only = code(lambda: client.unload("one"))
        assert only == (wire.VOICE_NEEDED, "one is the only voice; load another first")
        put(packs / "other", live.voices, "spoiled")
        client.load("spoiled")
        assert [Path(one.path).name for one in client.voices().broken] == ["double"]
        default = code(lambda: client.unload("one"))
        assert default[0] == wire.VOICE_NEEDED
        assert "default voice" in default[1]
        assert client.voices().folder == str(live.voices)
    assert live.say(TEXT) == wanted


def test_a_pack_that_was_renamed_takes_the_place_of_the_old_one(start: Start, packs: Path) -> None:
    live = start()
    put(packs / "one", live.voices, "one", called="new")
    with live.client() as client:
        assert client.load("one").voice == "new"
        (voice,) = client.voices().voices
        assert (voice.name, voice.default) == ("new", True)
        (live.voices / "one").rename(live.voices / "moved")
        assert client.load("moved").replaced, "it was moved, not doubled"
        assert client.status().voices == ["new"]
    assert live.say(TEXT)


def test_engines_are_built_for_a_voice_that_came_later(start: Start, packs: Path) -> None:
    live = start(slow_build.command("good"), "background")
    put(packs / "other", live.voices, "two")
    with live.client() as client:
        client.load("two")
        deadline = time.monotonic() + 60
        while True:
            engines = {voice.voice: voice for voice in client.engines().voices}
            if all(g.built == slow_build.BUILT for g in engines["two"].graphs):
                break
            assert time.monotonic() < deadline, engines["two"]
            time.sleep(0.05)
        assert engines["two"].build.state == "done"
        client.unload("two")
        assert [voice.voice for voice in client.engines().voices] == ["one"]
        client.load("two")
        assert {v.voice: v.build.state for v in client.engines().voices}["two"] == "current"


def test_voices_that_come_and_go_under_load_harm_nobody(start: Start, packs: Path) -> None:
    live = start(slow_build.command("good"), "background")
    put(packs / "other", live.voices, "two")
    wanted, stop, wrong = live.say(TEXT), threading.Event(), list[str]()

    def talk() -> None:
        with live.client() as client:
            while not stop.is_set():
                speech = client.say(TEXT)
                if speech.read() != wanted or speech.done is None or speech.done.why != "end":
                    wrong.append(str(speech.done))

    talkers = [threading.Thread(target=talk) for _ in range(3)]
    for talker in talkers:
        talker.start()
    with live.client() as client:
        for _ in range(5):
            client.load("two")
            client.say(LONG, voice="two")  # and it is left alone
            assert client.unload("two").live >= 1
            client.cancel()
    stop.set()
    for talker in talkers:
        talker.join(60)
    assert wrong == []


def test_a_stop_does_not_leave_who_loads_without_an_answer(start: Start, packs: Path) -> None:
    live = start()
    client = RawClient(live.endpoint)
    for number in range(8):
        client.send("load", id=str(number), name="one")
    client.send("load", id="more", name="one")
    assert client.receive()[0]["code"] == wire.BUSY
    client.send("hello", id="hello")
    while (reply := client.receive()[0])["t"] != "welcome":
        assert reply["t"] == "loaded"
    assert "load" in reply["capabilities"]
    assert len(reply["live"]) >= 1
    live.server.stop()
    told = {client.receive()[0]["id"] for _ in reply["live"]}
    client.close()
    assert told == set(reply["live"])


def test_memory_is_given_back(folder: Path, capsys: Capture) -> None:
    voices = folder / "voices"
    voices.mkdir()
    shutil.copytree(ROOT / "voices" / "yue", voices / "yue")
    with served(voices, folder) as endpoint, Client(endpoint, timeout=30) as client:
        client.say("你好。", sink="none").wait()
        shutil.copytree(voices / "yue", voices / "zoe")
        toml = voices / "zoe" / "voice.toml"
        toml.write_text(toml.read_text("utf-8").replace('name = "yue"', 'name = "zoe"'), "utf-8")
        before = client.stats().memory_bytes
        assert cli.main(["load", str(voices / "zoe"), "--endpoint", endpoint]) == 0
        assert "loaded voice zoe in " in capsys.readouterr().out
        client.say("你好。", sink="none", voice="zoe").wait()
        took = client.stats().memory_bytes - before
        assert took > 15 << 20
        assert cli.main(["unload", "zoe", "--endpoint", endpoint]) == 0
        assert capsys.readouterr().out == "unloaded voice zoe\n"
        until_less(client, before + 0.8 * took)
        for _ in range(4):  # as much as is kept now and then must not add up
            client.load("zoe")
            client.say("你好。", sink="none", voice="zoe").wait()
            client.unload("zoe")
        until_less(client, before + 0.8 * took)


def until_less(client: Client, wanted: float) -> None:
    """Wait until the daemon takes less than so many bytes."""
    deadline = time.monotonic() + 5
    while (taken := client.stats().memory_bytes) > wanted:
        assert time.monotonic() < deadline, (taken, wanted)
        time.sleep(0.05)


def test_a_path_elsewhere_is_refused_with_the_cure(
    start: Start, packs: Path, capsys: Capture
) -> None:
    live = start()
    put(packs / "other", live.voices, "two")
    endpoint = ["--endpoint", live.endpoint]
    assert cli.main(["load", str(packs / "other"), *endpoint]) == 1
    assert f"cp -r {packs / 'other'} {live.voices / 'other'}" in capsys.readouterr().err
    assert cli.main(["load", f"{live.voices}/two/", *endpoint, "--json"]) == 0
    assert '"voice": "two"' in capsys.readouterr().out
    assert cli.main(["load", "two", *endpoint]) == 0
    assert "loaded again voice two" in capsys.readouterr().out
    assert cli.main(["unload", "one", *endpoint]) == 1
    assert "(voice_needed)" in capsys.readouterr().err
