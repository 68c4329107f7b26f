"""What the tests do to the service in a box."""

from __future__ import annotations

import re
import subprocess
import time

from tests.systemd.box import Box

LONG = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。" * 40


def speak(box: Box, text: str = "你好", user: str = "kiosk", *, cut_off: bool = False) -> float:
    """Seconds until a WAV of the text is there, asked for by a user of the box.

    cut_off: the service may stop just then, which is told, or the request is lost with the old
    process; then it is said again, as docs/OPERATIONS.md has clients do.
    """
    say = f"runuser -u {user} -- sambertctl say --out /tmp/{user}.wav {text}"
    began = time.monotonic()
    facts = box.run(say, check=not cut_off)
    while (
        cut_off
        and re.search(r"\(shutting_down\)|no answer|no daemon listens", facts)
        and time.monotonic() < began + 60
    ):
        facts = box.run(say, check=False)
    took = time.monotonic() - began
    assert re.search(r": [\d.]+ s of speech by voice yue", facts), facts
    sound = box.run(f"tail -c +45 /tmp/{user}.wav | od -An -v -t d2 -w2 | sort -n | sed -n '1p;$p'")
    low, high = (int(line) for line in sound.split())
    assert low < -1000 < 1000 < high, "it is silent"
    return took


def main_pid(box: Box) -> int:
    return int(box.fact("MainPID"))


def await_state(box: Box, state: str, within_s: float, pid: int = 0) -> float:
    """Seconds until the unit is in a state, with another process than `pid`."""
    began = time.monotonic()
    while box.fact("ActiveState") != state or (pid and main_pid(box) in (pid, 0)):
        assert time.monotonic() - began < within_s, box.run(
            "systemctl status sambertd", check=False
        )
        time.sleep(0.05)
    return time.monotonic() - began


def busy(box: Box) -> list[subprocess.Popen[str]]:
    """Four clients with minutes of text each, in work."""
    say = "runuser -u kiosk -- sambertctl say --out"
    clients = [box.start(f"{say} /tmp/long{n}.wav {LONG}") for n in range(4)]
    await_work(box, 4)
    return clients


def await_work(box: Box, utterances: int) -> None:
    until = time.monotonic() + 20
    while f"{utterances} in work" not in box.run("sambertctl status"):
        assert time.monotonic() < until
        time.sleep(0.1)
