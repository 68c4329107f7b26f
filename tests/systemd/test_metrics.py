"""Metrics of the fenced unit: on a socket as it is, on a port by the commands of the manual.

By its name it comes before test_service.py, whose last test takes the service off again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.systemd.box import ROOT, Box
from tests.systemd.service import await_state, main_pid, speak

pytestmark = pytest.mark.systemd
SETTINGS = "/etc/sambertd/sambertd.toml"
FILE, PORT = "/run/sambertd/metrics.sock", "127.0.0.1:9464"
ON_FILE = f"curl -sS --max-time 10 --unix-socket {FILE} http://localhost/metrics"
ON_PORT = f"curl -sS --max-time 10 http://{PORT}/metrics"
LISTEN = 'sed -i \'s|^# listen = ""         # for Prometheus|listen = "{}"  # for Prometheus|\''


def commands() -> list[str]:
    """What the manual says of a port, as root."""
    text = (ROOT / "docs/OPERATIONS.md").read_text("utf-8")
    section = text.split("**On a port,**")[1]
    block = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0]
    return [line.removeprefix("sudo ") for line in block.replace("&& sudo ", "&& ").splitlines()]


@pytest.fixture(autouse=True)
def as_it_was(box: Box) -> Iterator[None]:
    box.run(f"cp -p {SETTINGS} /tmp/before.toml")
    yield
    box.run(f"cp -p /tmp/before.toml {SETTINGS}")
    box.run("rm -rf /etc/systemd/system/sambertd.service.d")
    box.run("systemctl daemon-reload && systemctl restart sambertd")


def test_a_socket_needs_nothing_but_its_name(box: Box) -> None:
    box.run(f"{LISTEN.format(f'unix://{FILE}')} {SETTINGS} && systemctl restart sambertd")
    assert box.run(f"stat -c '%a %U %G' {FILE}") == "660 sambertd sambertd\n"
    speak(box)
    told = box.run(f"runuser -u kiosk -- {ON_FILE}")
    assert "\nsambertd_ready 1" in told
    assert '\nsambertd_ended_total{why="end"} 1' in told
    assert "\nprocess_resident_memory_bytes " in told, "the fence lets it see itself"
    refused = box.run(f"runuser -u stranger -- {ON_FILE}", check=False)
    assert "connect" in refused, refused
    assert "sambertd_up" not in refused
    pid = main_pid(box)
    box.run(f"kill -KILL {pid}")
    await_state(box, "active", 30, pid)
    assert "\nsambertd_up 1" in box.run(ON_FILE), "the socket of the dead one was in the way"


def test_a_port_as_the_manual_says(box: Box) -> None:
    settings, drop_in, restart = commands()
    box.run(settings)
    began = time.time()
    box.run("systemctl restart sambertd", check=False)
    until = time.monotonic() + 20
    while "a port of the service needs a drop-in" not in (words := box.journal(began)):
        assert time.monotonic() < until, words
        time.sleep(0.5)
    assert "(metrics_unavailable)" in words
    box.run(drop_in)
    box.run(restart)
    assert "\nsambertd_ready 1" in box.run(f"runuser -u stranger -- {ON_PORT}")
    listening = box.run("ss -Hltn").split()
    assert [one for one in listening if one.endswith(":9464")] == [PORT]
    score = box.run("systemd-analyze security --no-pager --threshold=20 sambertd.service")
    print(f"\n  {score.strip().splitlines()[-1]}")
