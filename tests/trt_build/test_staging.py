"""A pack is swapped in whole, or what was there stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trt_build.export.errors import ExportError
from trt_build.staging import staging


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An earlier pack."""
    folder = tmp_path / "voices" / "v"
    folder.mkdir(parents=True)
    (folder / "voice.toml").write_text("old")
    (folder / "LICENSE").write_text("mine")
    (folder / "sample.png").write_text("old")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def write(out: Path) -> None:
    with staging(out) as place:
        (place / "pack" / "voice.toml").write_text("new")


def test_the_new_pack_takes_over_what_it_does_not_make(out: Path) -> None:
    with staging(out, ("sample.png",)) as place:
        (place / "pack" / "voice.toml").write_text("new")
        assert contents(out)["voice.toml"] == "old"
    assert contents(out) == {"voice.toml": "new", "LICENSE": "mine"}
    assert [path.name for path in out.parent.iterdir()] == ["v"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError(5, "disk")])
@pytest.mark.parametrize("call", [1, 2])
def test_whatever_stops_the_swap(
    out: Path, error: Any, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, calls, replace = contents(out), [0], os.replace

    def stopped(source: Path, target: Path) -> None:
        calls[0] += 1
        if calls[0] == call:
            raise error
        replace(source, target)

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises((KeyboardInterrupt, SystemExit, ExportError)):
        write(out)
    monkeypatch.undo()
    assert contents(out) == before
    assert [path.name for path in out.parent.iterdir()] == ["v"]


def test_what_cannot_be_put_back_is_not_thrown_away(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, calls, replace = contents(out), [0], os.replace

    def stopped(source: Path, target: Path) -> None:
        calls[0] += 1
        if calls[0] > 1:
            raise OSError(5, "disk")
        replace(source, target)

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(ExportError):
        write(out)
    (left,) = out.parent.iterdir()
    assert contents(left / "old") == before


PROGRAM = """
import signal, sys, time
from pathlib import Path
from trt_build.progress import ending_in_order
from trt_build.staging import staging
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run behind `&`
with ending_in_order(), staging(Path(sys.argv[1])) as place:
    print(place, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_nothing_behind(out: Path, number: signal.Signals) -> None:
    before = contents(out)
    command = [sys.executable, "-c", PROGRAM, str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert Path(process.stdout.readline().decode().strip()).is_dir()
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode != 0
    assert contents(out) == before
    assert [path.name for path in out.parent.iterdir()] == ["v"]
