from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.sound_faults import PROC, closed_card, explain, holders, no_device

NOBODY = 65534


@pytest.fixture
def snd(folder: Path) -> Path:
    """A folder like /dev/snd with one card."""
    folder.chmod(0o755)
    for name in ("controlC0", "pcmC0D0c", "pcmC0D0p"):
        (folder / name).touch()
    return folder


class CardError(Exception):
    """Has the arguments of sounddevice's error: text and code."""


def test_a_kernel_without_a_card_is_told(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        assert "the kernel has no sound card" in no_device(folder)
        assert closed_card(folder) == ""


def test_a_card_this_user_may_not_open_names_the_group(snd: Path) -> None:
    (snd / "pcmC0D0p").chmod(0)
    root = os.geteuid() == 0  # who may open everything
    if root:
        os.seteuid(NOBODY)
    try:
        told = [closed_card(snd), no_device(snd)]
    finally:
        if root:
            os.seteuid(0)
    for words in told:
        assert f"may not open {snd}/pcmC0D0p" in words
        assert "usermod -aG audio" in words


def test_who_holds_a_card_is_named(snd: Path) -> None:
    code = f"f = open('{snd}/pcmC0D0p', 'wb'); print('open', flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        comm = (PROC / str(process.pid) / "comm").read_text().strip()
        held = f"{comm} (pid {process.pid})"
        assert holders(snd) == held
        assert f"in use by {held}" in no_device(snd)
        busy = explain(CardError("Device unavailable", -9985), snd)
        process.communicate(b"\n")
    assert busy.startswith(f"Device unavailable (in use by {held}")
    assert holders(snd) == ""
    assert (
        explain(CardError("Device unavailable", -9985), snd) == "Device unavailable (it is in use)"
    )


def test_a_card_that_portaudio_does_not_see(snd: Path) -> None:
    assert f"{snd}/pcmC0D0p is there" in no_device(snd)


def test_errors_are_explained_where_something_is_known() -> None:
    assert explain(None) == "unknown reason"
    assert explain(CardError("Boom")) == "Boom"
    assert explain(CardError("Boom", -1)) == "Boom"
    assert "does not take this rate" in explain(CardError("Invalid sample rate", -9997))
    assert "PULSE_SERVER" in explain(CardError("Unanticipated host error", -9999, (8, -5, "x")))
