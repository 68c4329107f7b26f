"""The examples run as they stand, against a real daemon with the built-in voice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sambertd_client import Client

from tests.daemon.live import served

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
LIMIT_S = 60


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("x")
    with served(ROOT / "voices", folder, "--device", "null") as endpoint:
        yield endpoint


def command(endpoint: str, *words: str, **more: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    environ = {**os.environ, "SAMBERTD_ENDPOINT": endpoint, **more}
    return subprocess.Popen(words, env=environ, stdin=pipe, stdout=pipe, stderr=pipe)


def example(endpoint: str, name: str, **more: str) -> subprocess.Popen[bytes]:
    return command(endpoint, sys.executable, str(EXAMPLES / name), **more)


def finished(process: subprocess.Popen[bytes], said: str = "") -> tuple[bytes, str]:
    """What it wrote, after it got all of its input."""
    out, err = process.communicate(said.encode(), timeout=LIMIT_S)
    assert process.returncode == 0, err.decode()
    return out, err.decode()


def spoken(endpoint: str, text: str) -> bytes:
    with Client(endpoint) as client:
        return client.say(text).read()


def test_every_example_is_listed() -> None:
    listed = re.findall(r"^\| \[(.+?)\]", (EXAMPLES / "README.md").read_text("utf-8"), re.MULTILINE)
    suffixes = {".py", ".c", ".mjs"}
    assert set(listed) == {path.name for path in EXAMPLES.iterdir() if path.suffix in suffixes}


def test_the_robot_is_interrupted_and_follows_the_words(endpoint: str) -> None:
    with Client(endpoint) as client:
        before = client.stats().ends
        robot = example(endpoint, "robot.py")
        assert robot.stdin is not None
        robot.stdin.write("happy: 您好，很高兴见到你，今天天气真好，阳光洒在窗台上。\n".encode())
        robot.stdin.flush()
        while not client.status().in_work:
            assert robot.poll() is None
            time.sleep(0.02)
        time.sleep(1.0)
        out, _ = finished(robot, "\n  \n请让一让。\n\n")
        after = client.stats().ends
    words = out.decode().split()
    assert words[0] == "您好"
    assert "窗台" not in "".join(words), "it was interrupted"
    assert "".join(words).endswith("请让一让[end]")
    assert after["cancelled"] - before.get("cancelled", 0) == 1
    assert after["end"] - before.get("end", 0) == 1


def test_the_robot_follows_the_words_after_a_pause_too(endpoint: str) -> None:
    with Client(endpoint) as client:
        robot = example(endpoint, "robot.py", PYTHONUNBUFFERED="1")
        assert robot.stdin is not None
        assert robot.stdout is not None
        robot.stdin.write("您好，很高兴见到你，今天天气真好。\n".encode())
        robot.stdin.flush()
        first = robot.stdout.readline().decode().strip()
        assert len(client.pause(scope="all").ids) == 1
        client.resume(scope="all")
        out, _ = finished(robot)
    words = [first, *out.decode().split()]
    assert words[-1] == "[end]"
    said = list(dict.fromkeys(words[:-1]))
    assert "".join(said) == "您好很高兴见到你今天天气真好"


def test_the_robot_bears_an_emotion_that_nobody_has(endpoint: str) -> None:
    out, err = finished(example(endpoint, "robot.py"), "furious: 您好。\n")
    assert "furious" in out.decode()
    assert err == ""


def test_the_kiosk(endpoint: str) -> None:
    with Client(endpoint) as client, client.subscribe("started") as started:
        kiosk = example(endpoint, "kiosk.py")
        assert kiosk.stdin is not None
        kiosk.stdin.write(b"welcome\n")
        kiosk.stdin.flush()
        while (event := started.next(LIMIT_S)) is None or event.sink != "speaker":
            assert event is not None
        out, err = finished(kiosk, "important 请注意脚下。\n")
    assert (out.decode().split(), err) == (["[superseded]", "[end]"], "")
    with Client(endpoint) as client:
        ahead = client.prefetch(["请取走您的卡片。", "谢谢，再见。"])
    assert (ahead.known, ahead.made) == (2, 0), "they were made when it started"


def test_the_kiosk_shows_what_nobody_can_say(tmp_path: Path) -> None:
    out, _ = finished(example(f"ipc://{tmp_path}/none", "kiosk.py"), "bye\n")
    assert "on the screen: 谢谢，再见。 (no daemon listens on" in out.decode()


def test_what_a_model_writes_is_spoken_while_it_writes(endpoint: str) -> None:
    model = example(endpoint, "llm_stream.py")
    assert model.stdin is not None
    assert model.stderr is not None
    model.stdin.write("今天天气真好。明".encode()[:-1])  # cut within a character
    model.stdin.flush()
    assert b"speaks after" in model.stderr.readline(), "though more text is to come"
    model.stdin.write("明".encode()[-1:])
    out, err = finished(model, "天呢？")
    assert f"{len(out)} bytes of PCM" in err
    assert len(out) > len(spoken(endpoint, "今天天气真好。"))


def test_who_stops_listening_to_a_model_ends_it_without_a_traceback(endpoint: str) -> None:
    model = example(endpoint, "llm_stream.py")
    assert model.stdin is not None
    assert model.stdout is not None
    assert model.stderr is not None
    model.stdin.write("今天天气真好。".encode())
    model.stdin.flush()
    model.stdout.read(1)
    model.stdout.close()
    with suppress(BrokenPipeError):
        model.stdin.write(("明天呢？" * 20).encode())
        model.stdin.close()
    with model.stderr:
        told = model.stderr.read().decode()
    assert (model.wait(LIMIT_S), "Traceback" in told) == (141, False), told
    with Client(endpoint) as client:
        while client.status().in_work:
            time.sleep(0.02)


def check_foreign(endpoint: str, *words: str) -> None:
    out, err = finished(command(endpoint, *words, endpoint, "您好。"))
    assert (len(out), err) == (len(spoken(endpoint, "您好。")), "")
    for text, told in (
        (" ", "there is no text to speak (text_empty)\n"),
        ("😀", " (text_empty)\n"),  # in the end, with `done`
    ):
        refused = command(endpoint, *words, endpoint, text)
        assert refused.communicate(timeout=LIMIT_S)[1].decode().endswith(told)
        assert refused.returncode == 1
    with Client(endpoint) as client:
        cancelled = command(endpoint, *words, endpoint, "您好。" * 200)
        assert cancelled.stdout is not None
        cancelled.stdout.read(1)
        client.cancel(scope="all")
        assert cancelled.communicate(timeout=LIMIT_S)[1] == b"cancelled\n"
        assert cancelled.returncode == 1
    bare = command(endpoint, *words)
    assert "usage: " in bare.communicate(timeout=LIMIT_S)[1].decode()
    assert bare.returncode == 2


def test_c(endpoint: str, tmp_path: Path) -> None:
    if shutil.which("cc") is None or not list(Path("/usr").glob("**/include/zmq.h")):
        pytest.skip("THE C EXAMPLE IS NOT TESTED: apt install libzmq3-dev gcc libc6-dev")
    binary = str(tmp_path / "say")
    warnings = ("-std=gnu11", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
    subprocess.run(["cc", *warnings, str(EXAMPLES / "say.c"), "-o", binary, "-lzmq"], check=True)
    check_foreign(endpoint, binary)


def test_node(endpoint: str) -> None:
    if shutil.which("node") is None or not (EXAMPLES / "node_modules" / "zeromq").is_dir():
        pytest.skip(
            "THE NODE EXAMPLE IS NOT TESTED: it needs Node 18; then run tests/packages node"
        )
    check_foreign(endpoint, "node", str(EXAMPLES / "say.mjs"))
