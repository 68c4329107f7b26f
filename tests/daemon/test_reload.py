"""Settings and voices read again while the daemon speaks: real processes, sockets and sinks."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from sambertd_client import Client, RefusedError, cli
from sambertd_client import protocol as wire

from benchmarks import random_voice
from daemon.__main__ import main
from daemon.config import Config, Limits, SpeakerConfig, load
from daemon.metrics_config import MetricsConfig
from daemon.settled import change
from daemon.toml_text import written
from engines.pack import VoicePack
from tests.daemon.live import Listener, RawClient
from tests.daemon.sink import Sink, playing, sink_of, speech, wait_until, without_gaps

TEXT = "电梯正在上行，请站稳扶好。"
LONG = "今天天气真好，阳光洒在窗台上。" * 12
Capture = pytest.CaptureFixture[str]


def test_what_counts_at_once_and_what_after_a_restart() -> None:
    now = Config("ipc:///a", Path("voices"))
    wanted = replace(
        now,
        endpoint="ipc:///b",
        voice="zoe",
        limits=Limits(in_work=3, waiting=2),
        engines=replace(now.engines, vocoder_threads=1, build="never"),
        cache=replace(now.cache, memory_mb=1),
        speaker=SpeakerConfig(gain_db=-3),
        metrics=MetricsConfig("127.0.0.1:9464"),
    )
    config, changed, restart = change(now, wanted, 4)
    assert changed == [
        "voice",
        "limits.in_work",
        "limits.waiting",
        "engines.build",
        "speaker.gain_db",
    ]
    assert restart == ["endpoint", "engines.vocoder_threads", "cache.memory_mb", "metrics.listen"]
    assert (config.endpoint, config.engines.vocoder_threads) == ("ipc:///a", 2)
    assert (config.cache, config.limits) == (now.cache, wanted.limits)
    assert config.engines.build == "never"
    assert change(config, wanted, 4).restart == restart, "until it is restarted"
    more = replace(now, limits=Limits(in_work=5))
    config, changed, restart = change(now, more, 4)
    assert (config, changed, restart) == (now, [], ["limits.in_work"])


def test_settings_are_written_as_they_are_read(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "s.toml"
    file.write_text(
        'voice = "a\\"b"\nvoices = "v"\n[speaker]\nfallback = ["HDMI", ""]\ngain_db = -6\n'
        "[limits]\nwaiting = 3\n[engines]\nbatching = false\n"
    )
    assert main(["--config", str(file), "--check-config", "--device", "null"]) == 4
    shown, told = capsys.readouterr()
    assert f"{tmp_path / 'v'} is no folder; give one with --voices DIR (voice_not_found)" in told
    again = tmp_path / "deeper" / "again.toml"
    again.parent.mkdir()
    again.write_text(shown)
    settings = load(again, os.environ)
    assert settings == replace(load(file, os.environ), speaker=settings.speaker)
    assert (settings.voice, settings.speaker.device) == ('a"b', "null")
    assert settings.speaker.fallback == ("HDMI", "")
    assert not settings.engines.batching
    assert written(settings) == shown


def test_the_voices_are_looked_at(packs: Path, tmp_path: Path, capsys: Capture) -> None:
    voices = tmp_path / "voices"
    shutil.copytree(packs, voices)
    check = ["--check-config", "--voices", str(voices)]
    assert main(check) == 0
    assert capsys.readouterr().err == ""
    name = VoicePack(next(voices.iterdir())).file.name
    assert main([*check, "--voice", name]) == 0
    assert main([*check, "--voice", "nobody"]) == 4
    assert f"no voice 'nobody' in {voices}; choose of " in capsys.readouterr().err
    for graph in voices.glob("*/vocoder.onnx"):
        graph.write_bytes(b"")
    assert main(check) == 4
    told = capsys.readouterr().err
    assert "(voice_hash_mismatch)" in told
    assert f"no voice in {voices} can be used" in told
    shutil.rmtree(voices)
    voices.mkdir()
    assert main(check) == 4
    assert "(voice_not_found)" in capsys.readouterr().err


def test_a_socket_in_a_folder_that_is_not_there_is_told(
    packs: Path, tmp_path: Path, capsys: Capture
) -> None:
    check = ["--check-config", "--voices", str(packs), "--endpoint"]
    assert main([*check, f"ipc://{tmp_path}/deep/er/d.sock"]) == 0
    assert f"folder {tmp_path}/deep/er is not there; it will be made" in capsys.readouterr().err
    assert not (tmp_path / "deep").exists(), "it only looks"
    (tmp_path / "file").touch()
    assert main([*check, f"ipc://{tmp_path}/file/deep/d.sock"]) == 3
    told = capsys.readouterr().err
    assert f"the folder {tmp_path}/file/deep is not there and cannot be made; make it, or" in told
    assert main([*check, f"ipc://{tmp_path}/d.sock"]) == 0
    assert capsys.readouterr().err == ""


def test_a_bad_file_is_told_by_name_and_key(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "s.toml"
    for text, words in (
        ("[limits]\nwaiting = -1\n", f"{file}: limits.waiting: -1 is not within 0 and 100"),
        ("[limits]\nwait = 1\n", f"{file}: limits.wait: no such key"),
        ("[limits\n", f"{file} is not TOML"),
    ):
        file.write_text(text)
        assert main(["--config", str(file), "--check-config"]) == 78
        told = capsys.readouterr()
        assert words in told.err
        assert told.out == ""
    assert main(["--config", str(tmp_path / "none"), "--check-config"]) == 78
    assert "cannot read" in capsys.readouterr().err


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs")
    for seed, name in enumerate(("ada", "bea", "cleo")):
        random_voice.write(random_voice.tiny(nsf=False, seed=seed), folder / name, name)
    return folder


class Live:
    """A `sambertd` process with its own file of settings, and what it tells systemd."""

    def __init__(self, folder: Path, packs: Path, settings: str = "") -> None:
        self.endpoint, self.file = f"ipc://{folder}/d.sock", folder / "s.toml"
        self.voices, self.log = folder / "voices", folder / "log"
        shutil.copytree(packs / "ada", self.voices / "ada")
        shutil.copytree(packs / "bea", self.voices / "bea")
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.bind(str(folder / "notify"))
        self.notices.setblocking(False)
        self.settle(settings)
        command = [sys.executable, "-m", "daemon", "--config", str(self.file), "--no-speaker"]
        env = {**os.environ, "NOTIFY_SOCKET": str(folder / "notify")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, env=env)
        with self.client() as client:
            wait_until(lambda: client.status().state == "ready", 30)

    def settle(self, settings: str) -> None:
        self.file.write_text(
            f'voices = "voices"\nendpoint = "{self.endpoint}"\n{settings}\n'
            '[engines]\nbuild = "never"\nstore = "engines"\n[cache]\nenabled = false\n'
        )

    def client(self) -> Client:
        return Client(self.endpoint, timeout=30, wait_s=30)

    def noticed(self) -> list[str]:
        """What systemd was told since the last call."""
        told = []
        while True:
            try:
                told.append(self.notices.recv(4096).decode())
            except BlockingIOError:
                return told

    def close(self) -> None:
        self.notices.close()
        self.process.terminate()
        assert self.process.wait(20) == 0, self.log.read_text()


Start = Callable[..., Live]


@pytest.fixture
def start(folder: Path, packs: Path) -> Iterator[Start]:
    running: list[Live] = []

    def start(settings: str = "") -> Live:
        running.append(Live(folder, packs, settings))
        return running[-1]

    yield start
    for live in running:
        live.close()


def test_everything_changes_and_nobody_is_cut_off(start: Start, packs: Path) -> None:
    live = start('log_level = "warning"\n[limits]\nin_work = 2')
    with live.client() as client, live.client() as listening:
        told = listening.subscribe("reload", "voices")
        whole = {name: client.say(LONG, voice=name).read() for name in ("ada", "bea")}
        heard = {name: Listener(live.endpoint, LONG, name) for name in whole}
        live.settle('voice = "cleo"\nlog_level = "info"\n[limits]\nin_work = 9\nwaiting = 1')
        shutil.copytree(packs / "cleo", live.voices / "cleo")
        shutil.rmtree(live.voices / "ada")
        shutil.copytree(packs / "cleo", live.voices / "new")
        shutil.rmtree(live.voices / "bea")
        toml = live.voices / "new" / "voice.toml"
        toml.write_text(toml.read_text("utf-8").replace('"cleo"', '"bea"', 1), "utf-8")
        (live.voices / "new").rename(live.voices / "bea")
        live.noticed()
        done = client.reload()
        assert done.changed == ["voice", "log_level", "limits.waiting"]
        assert done.restart == ["limits.in_work"]
        assert sorted(done.loaded) == ["bea", "cleo"]
        assert (done.unloaded, done.problems) == (["ada"], [])
        listed = client.voices()
        assert [(v.name, v.default) for v in listed.voices] == [("cleo", True), ("bea", False)]
        assert (client.hello().limits.in_work, client.hello().limits.waiting) == (2, 1)
        last = [event.text for event in islice(told, 4)][-1]
        assert "changed voice, log_level, limits.waiting" in last
        assert client.say(TEXT).read() == client.say(TEXT, voice="bea").read(), "both are cleo's"
    notices = live.noticed()
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", notices[0])
    assert notices[-1] == "READY=1\nSTATUS=ready: cleo, bea"
    for name, listener in heard.items():
        end, pcm = listener.rest()
        assert (end["why"], pcm) == ("end", whole[name])
    assert "reloaded: changed voice" in live.log.read_text()


@pytest.mark.parametrize("how", ["sambertctl", "signal"])
def test_broken_settings_change_nothing(start: Start, capsys: Capture, how: str) -> None:
    live = start("[limits]\nwaiting = 3")
    live.settle("[limits]\nwaiting = -3")
    live.noticed()
    words = f"{live.file}: limits.waiting: -3 is not within 0 and 100"
    listener = Listener(live.endpoint, LONG)
    if how == "signal":
        live.process.send_signal(signal.SIGHUP)
    else:
        assert cli.main(["reload", "--endpoint", live.endpoint]) == 2
        assert f"{words} (bad_config)" in capsys.readouterr().err
    with live.client() as client:
        wait_until(lambda: bool(client.status().problems))
        assert client.status().problems == [f"not reloaded: {words}"]
        assert client.hello().limits.waiting == 3
        assert f"not reloaded, the old settings stay: {words}" in live.log.read_text()
        assert live.noticed()[-1] == f"READY=1\nSTATUS=ready: ada, bea; not reloaded: {words}"
        assert listener.rest()[0]["why"] == "end"
        live.settle("[limits]\nwaiting = 4")
        if how == "signal":
            live.process.send_signal(signal.SIGHUP)
        else:
            assert cli.main(["reload", "--endpoint", live.endpoint]) == 0
            assert capsys.readouterr().out == "changed: limits.waiting\n"
            assert cli.main(["reload", "--endpoint", live.endpoint]) == 0
            assert capsys.readouterr().out == "nothing has changed\n"
        wait_until(lambda: client.hello().limits.waiting == 4)
        wait_until(lambda: not client.status().problems)


def test_what_cannot_be_taken_is_told_and_the_rest_counts(
    start: Start, packs: Path, capsys: Capture
) -> None:
    live = start()
    live.settle('voice = "zoe"\n[limits]\nwaiting = 4')
    (live.voices / "bea" / "vocoder.onnx").write_bytes(b"no graph")
    shutil.rmtree(live.voices / "ada")
    with live.client() as client:
        before = client.say(TEXT, voice="bea").read()
        assert cli.main(["reload", "--endpoint", live.endpoint]) == 1
        told = capsys.readouterr()
        assert "changed: voice, limits.waiting" in told.out
        assert "bea: " in told.err
        assert "(voice_hash_mismatch)" in told.err
        assert "voice: there is no voice 'zoe'; choose of ada, bea" in told.err
        assert "ada: its pack is gone; it stays, since it is the default voice" in told.err
        assert client.status().problems == told.err.splitlines()[-3:]
        assert client.status().voices == ["ada", "bea"]
        assert client.hello().limits.waiting == 4
        assert client.say(TEXT, voice="bea").read() == before
        shutil.rmtree(live.voices / "bea")
        done = client.reload()
        assert "no voice pack" in done.problems[0], "an empty folder unloads nothing"
        live.settle("")
        shutil.copytree(packs / "bea", live.voices / "bea")
        done = client.reload()
        assert (done.loaded, done.unloaded, done.problems) == (["bea"], ["ada"], [])
        assert client.say(TEXT).read() == before


def test_one_reload_at_a_time_and_a_stop_does_not_wait_for_it(start: Start, packs: Path) -> None:
    live = start()
    for number in range(6):
        shutil.copytree(packs / "cleo", live.voices / f"c{number}")
        toml = live.voices / f"c{number}" / "voice.toml"
        toml.write_text(toml.read_text("utf-8").replace('"cleo"', f'"c{number}"', 1), "utf-8")
    client = RawClient(live.endpoint)
    client.send("reload", id="first")
    client.send("reload", id="second")
    reply, _ = client.receive()
    assert (reply["id"], reply["code"]) == ("second", wire.BUSY)
    client.send("hello", id="hello")
    welcome = client.receive()[0]
    if welcome["t"] == "welcome":  # else it was quick
        assert welcome["live"] == ["first"]
        live.process.terminate()
        answer = client.receive()[0]
        assert answer["id"] == "first"
        assert answer["t"] == "reloaded" or answer["code"] == wire.SHUTTING_DOWN
    client.close()


@pytest.fixture
def sink(folder: Path) -> Iterator[Sink]:
    yield from sink_of(folder, ("ci", "second"))


@pytest.mark.audio
class TestOnARealSink:
    def test_nobody_is_cut_off_and_the_next_is_heard_elsewhere(
        self, folder: Path, sink: Sink
    ) -> None:
        file = folder / "s.toml"
        file.write_text('[speaker]\ndevice = "ci"\n')
        with playing(sink, folder, "--config", str(file)) as client:
            with sink.record("ci") as first:
                spoken = client.say("好" * 40, sink="speaker")
                time.sleep(0.5)
                file.write_text('[speaker]\ndevice = "second"\ngain_db = -20\n')
                assert client.reload().changed == ["speaker.device", "speaker.gain_db"]
                assert spoken.wait().why == "end"
            clean = client.status().speaker.underruns == 0  # else the machine was too busy
            wait_until(lambda: client.status().speaker.device == "second")
            with sink.record("second") as second:
                assert client.say("好" * 10, sink="speaker").wait().why == "end"
            file.write_text("[speaker]\nenabled = false\n")
            client.reload()
            wait_until(lambda: not client.status().speaker.available)
            with pytest.raises(RefusedError, match="switched off by the settings"):
                client.say("好", sink="speaker")
            file.write_text('[speaker]\ndevice = "ci"\n')
            client.reload()
            wait_until(lambda: client.status().speaker.available)
            with sink.record("ci") as last:
                assert client.say("好" * 10, sink="speaker").wait().why == "end"
        assert without_gaps(first[0]) == without_gaps(speech(40))
        assert not clean or speech(40) in first[0]
        assert without_gaps(last[0]) == without_gaps(speech(10))
        assert len(without_gaps(second[0])) > 12000
        loudest = max(
            abs(int.from_bytes(second[0][i : i + 2], "little", signed=True))
            for i in range(0, len(second[0]), 2)
        )
        assert 1500 < loudest < 1700, "a tenth"

    def test_a_signal_while_it_loads_counts_once_it_is_ready(
        self, folder: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = folder / "s.toml"
        file.write_text("[limits]\nwaiting = 3\n")
        endpoint = f"ipc://{folder}/d.sock"
        command = [sys.executable, "-m", "tests.daemon.tone_daemon", "--endpoint", endpoint]
        env = {**sink.env, "TONE_LOAD_S": "1"}
        with subprocess.Popen([*command, "--config", str(file)], env=env) as process:
            try:
                with Client(endpoint, timeout=15, wait_s=15) as client:
                    assert client.hello().state == "loading"
                    with pytest.raises(RefusedError) as refused:
                        client.reload()
                    assert refused.value.code == wire.NOT_READY
                    assert refused.value.retry_s == 1.0
                    file.write_text("[limits]\nwaiting = 5\n")
                    process.send_signal(signal.SIGHUP)
                    wait_until(lambda: client.hello().limits.waiting == 5)
                    assert client.status().state == "ready"
            finally:
                process.terminate()
            assert process.wait(10) == 0
