"""A second room: a daemon of its own, with its own endpoint and card. See docs/OPERATIONS.md."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.sink import SINKS, Sink, playing, sink_of, speech, without_gaps

ROOT = Path(__file__).resolve().parents[2]
COPY = re.compile(r"systemctl cat sambertd\.\$kind \| sed '([^']+)'")


@pytest.fixture
def sink(folder: Path) -> Iterator[Sink]:
    yield from sink_of(folder, SINKS)


@pytest.mark.audio
def test_two_daemons_speak_at_the_same_time_in_two_rooms(sink: Sink, folder: Path) -> None:
    rooms = [folder / name for name in SINKS]
    for room in rooms:
        room.mkdir()
    with (
        playing(sink, rooms[0], "--device", SINKS[0]) as hall,
        playing(sink, rooms[1], "--device", SINKS[1]) as garden,
        sink.record(SINKS[0]) as in_hall,
        sink.record(SINKS[1]) as in_garden,
    ):
        first, second = hall.say("好" * 20, sink="speaker"), garden.say("好" * 9, sink="speaker")
        assert (first.position, second.position) == (0, 0), "neither waits for the other"
        assert second.wait().why == "end"
        important = garden.say("好" * 3, sink="speaker", priority="important")
        assert (important.wait().why, first.wait().why) == ("end", "end")
    assert without_gaps(in_hall[0]) == without_gaps(speech(20))
    assert without_gaps(in_garden[0]) == without_gaps(speech(9) + speech(3))


@pytest.mark.parametrize("kind", ["service", "socket"])
def test_the_copied_unit_shares_nothing_it_must_not(kind: str) -> None:
    page = (ROOT / "docs" / "OPERATIONS.md").read_text("utf-8")
    found = COPY.search(page)
    assert found is not None
    unit = (ROOT / "systemd" / f"sambertd.{kind}").read_text("utf-8")
    shown = f"# /usr/lib/systemd/system/sambertd.{kind}\n{unit}"  # as systemctl has it
    command = ["sed", found.group(1)]
    done = subprocess.run(command, input=shown, capture_output=True, text=True, check=True)
    copy = done.stdout
    assert "sambertd.socket" not in copy
    assert "run/sambertd/" not in copy
    if kind == "service":
        assert "--config /etc/sambertd/hall.toml" in copy
        assert "\nRuntimeDirectory=sambertd-hall\n" in copy
        assert "\nRequires=sambertd-hall.socket\n" in copy
    else:
        assert "\nListenStream=/run/sambertd-hall/sambertd.sock\n" in copy
