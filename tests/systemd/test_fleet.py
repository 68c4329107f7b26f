"""The fenced unit on TCP, set up by the very commands of docs/OPERATIONS.md: keys get in.

By its name it comes before test_service.py, whose last test takes the service off again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.systemd.box import ROOT, Box
from tests.systemd.service import speak

pytestmark = pytest.mark.systemd
SETTINGS = "/etc/sambertd/sambertd.toml"
ELSEWHERE = "203.0.113.7"  # an address that the drop-in does not let through


def commands() -> list[str]:
    """The blocks of the section on fleets, as root."""
    text = (ROOT / "docs/OPERATIONS.md").read_text("utf-8")
    section = text.split("## Fleet")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [block.replace("sudo ", "") for block in blocks]


@pytest.fixture
def server(box: Box) -> Iterator[str]:
    """The public key of a daemon that listens on TCP too."""
    box.run(f"cp -p {SETTINGS} /tmp/before.toml")
    yield box.run(commands()[0]).split()[-1]
    box.run(f"cp -p /tmp/before.toml {SETTINGS}; rm -r /var/lib/sambertd/keys")
    box.run("rm -r /etc/systemd/system/sambertd.service.d")
    box.run("systemctl daemon-reload && systemctl restart sambertd")


def as_robot(box: Box, command: str) -> str:
    """What a user prints who may not open the socket file."""
    return box.run(f"runuser -u stranger -- sh -c 'cd && {command}'", check=False)


def test_a_fleet_as_the_manual_says(box: Box, server: str) -> None:
    assert re.fullmatch("[0-9a-f]{64}", server)
    new, allow, say = commands()[1].splitlines()
    say = say.replace("BOX", "127.0.0.1") + " --out hello.wav"
    public = as_robot(box, new.replace("SERVER_PUBLIC", server)).split()[-1]
    assert "does not allow the key of this client" in as_robot(box, say)
    box.run(allow.replace("ROBOT_PUBLIC", public))
    words = as_robot(box, say)
    assert re.search(r"wrote hello\.wav: [\d.]+ s of speech by voice yue", words), words
    assert "the daemon wants keys" in as_robot(box, say.replace("--key-file robot-7.key ", ""))
    where = re.search(r"--endpoint \S+ --key-file \S+", say)
    assert where is not None
    assert "needs the role admin" in as_robot(box, f"sambertctl reload {where.group()}")
    speak(box)  # by the socket file, as before
    box.run("sambertctl keys revoke robot-7")
    assert "does not allow the key of this client" in as_robot(box, say)
    until = time.monotonic() + 10
    while f"key {public[:16]}... is not allowed" not in (journal := box.journal(0)):
        assert time.monotonic() < until, journal
        time.sleep(0.5)


def test_its_keys_are_the_daemons_own(box: Box, server: str) -> None:
    box.run(f"sambertctl keys allow {server} --name self")
    stat = "stat -c '%n %a %U' . server.key allowed allowed/*"
    listed = box.run(f"cd /var/lib/sambertd/keys && {stat}")
    assert listed.splitlines() == [
        ". 700 sambertd",
        "server.key 600 sambertd",
        "allowed 700 sambertd",
        "allowed/self.key 600 sambertd",
    ]
    assert "ermission denied" in as_robot(box, "cat /var/lib/sambertd/keys/server.key")


def test_only_private_networks_reach_it(box: Box, server: str) -> None:
    box.run(f"ip address add {ELSEWHERE}/32 dev lo")
    ask = f'import socket; socket.create_connection(("{ELSEWHERE}", 5555), 3)'
    python = f"/opt/sambertd/current/bin/python -c '{ask}'"
    assert "timed out" in box.run(python, check=False)
    box.run(python.replace(ELSEWHERE, "127.0.0.1"))
    box.run(f"ip address del {ELSEWHERE}/32 dev lo")


def test_the_fence_still_scores_well(box: Box, server: str) -> None:
    words = box.run("systemd-analyze security --no-pager --threshold=20 sambertd.service")
    print(f"\n  {words.strip().splitlines()[-1]}")
