"""A second daemon for a second card, set up by the very commands of docs/OPERATIONS.md.

By its name it comes before test_service.py, whose last test takes the service off again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.systemd.box import ROOT, Box
from tests.systemd.service import await_state, main_pid, speak

pytestmark = pytest.mark.systemd
UNITS = "sambertd-hall.socket sambertd-hall.service"
SETTINGS = {  # what the manual wants in it; this box has no card
    "device": "null",
    "build": "never",
    "folder": "/var/cache/sambertd/phrases-hall",
}


def commands() -> tuple[str, str]:
    """The block of the section, as root; its last line, which speaks, apart."""
    text = (ROOT / "docs/OPERATIONS.md").read_text("utf-8")
    section = text.split("## A second room")[1].split("\n## ")[0]
    block = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0].replace("sudo ", "")
    *before, last = block.strip().splitlines()
    return "\n".join(before), last


@pytest.fixture
def say(box: Box) -> Iterator[str]:
    """How the manual speaks in the hall, whose daemon runs."""
    before, last = commands()
    box.run(f"set -e\n{before}")
    for key, value in SETTINGS.items():
        box.run(f"sed -i 's|^#* *{key} = .*|{key} = \"{value}\"|' /etc/sambertd/hall.toml")
    box.run("systemctl restart sambertd-hall")
    yield f"runuser -u kiosk -- {last}"
    box.run(f"systemctl disable --now {UNITS}; rm /etc/sambertd/hall.toml")
    box.run("rm /etc/systemd/system/sambertd-hall.*; systemctl daemon-reload")
    box.run("systemctl start sambertd")


def test_a_second_room_as_the_manual_says(box: Box, say: str) -> None:
    box.run(say)
    status = say.split('"')[0].replace(" say ", " status ")
    hall = int(box.fact("MainPID", "sambertd-hall"))
    assert re.search(rf'"pid":\s*{hall}\b', box.run(f"{status} --json"))
    assert hall not in (0, main_pid(box))
    assert box.run("ls /var/cache/sambertd/phrases-hall") != "", "it keeps what it says"
    speak(box)  # in the first room, as before
    box.run("systemctl kill -s KILL sambertd-hall")
    speak(box)
    box.run(say)  # it was started again
    assert int(box.fact("MainPID", "sambertd-hall")) not in (0, hall)
    box.run("systemctl stop sambertd.socket sambertd.service")
    box.run(say)  # and needs nothing of the first
    box.run("systemctl start sambertd.socket sambertd.service")
    await_state(box, "active", 30)
    speak(box)
