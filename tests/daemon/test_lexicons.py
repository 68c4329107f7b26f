"""Readings of the system, of a voice and of a request, followed while the daemon speaks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from sambertd_client import Client, RefusedError, SpeechError, cli
from sambertd_client import protocol as wire

from benchmarks import random_voice
from daemon.__main__ import main
from tests.daemon.sink import wait_until

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack")
    return random_voice.write(random_voice.tiny(nsf=False), folder / "one", "one")


class Live:
    """A `sambertd` process with a voice of its own and a lexicon of the system."""

    def __init__(self, folder: Path, pack: Path) -> None:
        self.folder, self.endpoint = folder, f"ipc://{folder}/d.sock"
        self.system, self.log = folder / "system.csv", folder / "log"
        self.own = shutil.copytree(pack, folder / "voices" / "one") / "lexicon.csv"
        self.system.write_text("好,hao4\n", "utf-8")
        self.settle('lexicons = ["system.csv"]')
        command = [sys.executable, "-m", "daemon", "--config", str(folder / "s.toml")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*command, "--no-speaker"], stderr=log)
        self.client = Client(self.endpoint, timeout=30, wait_s=30)
        wait_until(lambda: self.client.status().state == "ready", 30)

    def settle(self, text: str) -> None:
        (self.folder / "s.toml").write_text(
            f'voices = "voices"\nendpoint = "{self.endpoint}"\n[text]\n{text}\n'
            '[engines]\nbuild = "never"\nstore = "engines"\n[cache]\nenabled = false\n',
            "utf-8",
        )

    def say(self, text: str, **lexicon: str) -> bytes:
        return self.client.say(text, lexicon=lexicon).read()

    def reads(self, text: str, inline: str) -> bool:
        """Whether a text is said as one whose readings are told in it."""
        return self.say(text) == self.say(inline)

    def close(self) -> None:
        self.client.close()
        self.process.terminate()
        assert self.process.wait(20) == 0, self.log.read_text()


@pytest.fixture
def live(folder: Path, pack: Path) -> Iterator[Live]:
    live = Live(folder, pack)
    yield live
    live.close()


def test_the_lexicon_of_the_system_is_followed(live: Live) -> None:
    assert live.reads("好天", "好{hao4}天")
    with Client(live.endpoint) as listening, listening.subscribe("reload") as told:
        live.system.write_text("好,hao1\n天,di4\n", "utf-8")
        assert next(iter(told)).text == f"lexicon {live.system} read, 2 words"
        assert live.reads("好天", "好{hao1}天{di4}")
        live.system.write_text("好,hao2\n天,di4\n天,di4\n", "utf-8")
        problem = f"{live.system}:3: 天 stands in line 2 already; keep one"
        (event,) = islice(told, 1)
        assert event.text == f"{problem}; the words from before stay"
        assert live.client.status().problems == [problem]
        assert problem in live.log.read_text()
        assert live.reads("好天", "好{hao1}天{di4}")
        assert live.client.reload().problems == [problem]
        live.system.unlink()
        wait_until(lambda: "cannot read the lexicon" in live.client.status().problems[0])
        assert live.reads("好天", "好{hao1}天{di4}")
        live.system.write_text("天,di4\n", "utf-8")
        wait_until(lambda: not live.client.status().problems)
    assert live.reads("好天", "好天{di4}")
    assert not live.reads("好", "好{hao4}")


def test_the_voice_stands_above_the_system_and_the_request_above_all(live: Live) -> None:
    live.own.write_text("好,hao1\n", "utf-8")
    wait_until(lambda: live.reads("好天", "好{hao1}天"))
    assert live.say("好天", 好="hai2", 天="di4") == live.say("好{hai2}天{di4}")
    assert live.say("好天，好天。", 好天="hai2 di4") == live.say("好天{hai2 di4}，好天{hai2 di4}。")
    live.own.write_text("好,hao9\n", "utf-8")
    wait_until(lambda: bool(live.client.status().problems))
    assert f"{live.own}:1: " in live.client.status().problems[0]
    assert live.reads("好天", "好{hao1}天")
    assert live.client.load("one").replaced, "a voice speaks, whatever is in its lexicon"
    assert live.client.status().problems
    live.own.unlink()
    wait_until(lambda: not live.client.status().problems)
    assert live.reads("好天", "好{hao4}天")


def test_readings_that_are_none_are_refused(live: Live) -> None:
    for words, code in (
        ({"好": "hao9"}, "bad_lexicon"),
        ({"好天": "hao3"}, "bad_lexicon"),
        ({"": "hao3"}, wire.BAD_FIELD),
        ({"好" * 33: "hao3"}, wire.BAD_FIELD),
        ({"好": "a" * 257}, wire.BAD_FIELD),
        ({chr(0x4E00 + n): "hao3" for n in range(101)}, wire.BAD_FIELD),
    ):
        with pytest.raises(RefusedError) as refused:
            live.client.say("好天", lexicon=words)
        assert refused.value.code == code
    most = {chr(0x4E00 + n): "hao3" for n in range(100)}
    assert live.client.say("一", lexicon=most).read() == live.say("一{hao3}")


def test_the_reading_of_signs_changes_with_a_reload(live: Live) -> None:
    live.settle('lexicons = ["system.csv", "more.csv"]')
    (live.folder / "more.csv").write_text("好,hao1\n", "utf-8")
    assert live.client.reload().changed == ["text.lexicons"]
    assert live.reads("好", "好{hao1}"), "the later one settles it"
    with pytest.raises(SpeechError, match="no words"):
        live.say("😀")
    live.settle('emoji = "name"\nlinks = "name"')
    done = live.client.reload()
    assert done.changed == ["text.lexicons", "text.emoji", "text.links"]
    assert live.say("😀")
    assert live.reads("见www.example.cn", "见网址")
    assert not live.reads("好", "好{hao1}")
    live.settle('emoji = "sing"')
    with pytest.raises(RefusedError, match=r"text\.emoji: 'sing'; choose of drop, name"):
        live.client.reload()
    assert live.say("😀")


def test_sambertctl_gives_readings_and_checks_files(
    live: Live, tmp_path: Path, capsys: Capture
) -> None:
    say = ["say", "--endpoint", live.endpoint, "--out", str(tmp_path / "a.wav")]
    assert cli.main([*say, "好天", "--reading", "好=hao1", "--reading", "天=di4"]) == 0
    assert (tmp_path / "a.wav").read_bytes()[44:] == live.say("好{hao1}天{di4}")
    with pytest.raises(SystemExit) as ended:
        cli.main([*say, "好天", "--reading", "好"])
    assert ended.value.code == 2
    live.settle('lexicons = ["system.csv"]')
    check = ["--config", str(live.folder / "s.toml"), "--check-config"]
    assert main(check) == 0
    assert f'lexicons = ["{live.system}"]' in capsys.readouterr().out
    live.system.write_text("好\n", "utf-8")
    assert main(check) == 78
    assert f"sambertd: {live.system}:1: " in capsys.readouterr().err
