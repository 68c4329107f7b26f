"""Builds in child processes: told, humble, and never a danger to who started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmarks import random_voice
from daemon import building
from daemon.building import Build, Builder, build_command
from engines.pack import VoicePack
from engines.store import Store
from tests.daemon.slow_build import command
from trt_build.humble import humble


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = random_voice.tiny(nsf=False)
    return random_voice.write(models, tmp_path_factory.mktemp("pack") / "one", "one")


def outcome(store: Path, pack: Path, name: str) -> Build:
    builder = Builder(store, command(name))
    builder.build("one", pack)
    return builder.builds["one"]


def is_gone(pid: int, within_s: float = 10.0) -> bool:
    """Whether a process ends; a zombie that nobody reaps has ended."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def pids(store: Path) -> list[int]:
    file, deadline = store / "pids", time.monotonic() + 30
    while not (file.is_file() and file.read_text("ascii")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [int(pid) for pid in file.read_text("ascii").split()]


def test_every_step_is_told_and_the_end_is_done(tmp_path: Path, pack: Path) -> None:
    told: list[str] = []
    builder = Builder(tmp_path, command("priority", 0.1))
    builder.build("one", pack, told.append)
    assert told == [f"building engines for one: graph {i} of 4: making it" for i in range(1, 5)]
    assert builder.builds == {"one": Build("done")}


def test_a_refusal_is_quoted(tmp_path: Path, pack: Path) -> None:
    build = outcome(tmp_path, pack, "refused")
    assert build.state == "failed"
    assert "no calibration.txt; write one" in build.text


def test_another_who_builds_is_no_failure(tmp_path: Path, pack: Path) -> None:
    """The real builder, while its lock is taken."""
    store = Store(tmp_path)
    builder = Builder(tmp_path)
    with store.lock(VoicePack(pack)):
        builder.build("one", pack)
    build = builder.builds["one"]
    assert (build.state, f"process {os.getpid()};" in build.text) == ("elsewhere", True), build
    builder.settle("one")
    assert builder.builds["one"] == Build("current")
    builder.settle("nobody")
    assert list(builder.builds) == ["one"]


def test_a_kill_is_told(tmp_path: Path, pack: Path) -> None:
    build = outcome(tmp_path, pack, "killed")
    assert build.state == "failed"
    assert "SIGKILL" in build.text
    assert f"python -m trt_build build {pack}" in build.text


def test_a_crash_is_told(tmp_path: Path, pack: Path) -> None:
    build = outcome(tmp_path, tmp_path, "good")  # no pack
    assert build.state == "failed"
    assert "is no voice pack" in build.text


def test_a_builder_that_cannot_be_started_is_told(tmp_path: Path, pack: Path) -> None:
    builder = Builder(tmp_path, lambda *_: ["/nowhere/python"])
    builder.build("one", pack)
    assert builder.builds["one"].state == "failed"


def test_without_its_tools_nothing_is_started_and_the_cure_is_named(
    tmp_path: Path, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "TOOLS", ("no_such_module",))
    assert outcome(tmp_path, pack, "good") == Build(
        "failed",
        "no_such_module is not installed; in a checkout of sambertd run "
        "`pip install ./client '.[build]'`",
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("idle", "wanted"), [(True, f"{os.SCHED_IDLE} 19"), (False, "0 0")])
def test_a_background_build_takes_what_others_leave(
    tmp_path: Path, pack: Path, idle: bool, wanted: str
) -> None:
    builder = Builder(tmp_path, command("priority"))
    builder.build("one", pack, idle=idle)
    assert (tmp_path / "priority").read_text("ascii") == f"{wanted} 1000"


def test_what_a_build_leaves_behind_holds_up_nobody_and_is_ended(
    tmp_path: Path, pack: Path
) -> None:
    assert outcome(tmp_path, pack, "orphaning").state == "done"
    (orphan,) = pids(tmp_path)
    assert is_gone(orphan)


def test_stop_ends_the_build_and_its_children(tmp_path: Path, pack: Path) -> None:
    builder, done = Builder(tmp_path, command("endless"), after_s=0), threading.Event()
    builder.start({"one": pack, "two": pack}, done.set)
    both = pids(tmp_path)
    assert builder.builds["one"].state == "running"
    began = time.monotonic()
    builder.stop()
    assert time.monotonic() - began < 3
    assert all(is_gone(pid) for pid in both)
    assert builder.builds["two"].state == "waiting", "no other begins"
    builder.build("two", pack)
    assert "shutting down" in builder.builds["two"].text


def test_a_build_dies_with_the_daemon(tmp_path: Path) -> None:
    """However that ends."""
    nap = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(300)"]
    code = (
        "import subprocess, time; from trt_build.humble import humble\n"
        f"subprocess.Popen(humble({nap!r}, idle=True)); time.sleep(300)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    assert is_gone(child)


def test_a_build_whose_parent_is_gone_does_not_begin(tmp_path: Path) -> None:
    mark = tmp_path / "began"
    line = humble([sys.executable, "-c", f"open({str(mark)!r}, 'w')"], idle=True)
    line[3] = "1"  # as where its parent died before it could ask to die with it
    assert subprocess.run(line, check=False).returncode == 1
    assert not mark.exists()


def test_the_command_names_the_pack_and_the_store() -> None:
    line = build_command(Path("/voices/yue"), Path("/store"))
    wanted = "-m trt_build build /voices/yue --store /store"
    assert " ".join(line[1:]) == wanted
