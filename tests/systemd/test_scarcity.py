"""Too little memory, and no room on the disk, for the service in a real systemd: it speaks on.

By its name it comes before test_service.py, whose last test takes the service off again.
"""

from __future__ import annotations

import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.systemd.box import ROOT, SOURCE, Box, ended, report
from tests.systemd.service import await_state, main_pid, speak

pytestmark = pytest.mark.systemd
CACHE = "/var/cache/sambertd"
GREEDY = f"{SOURCE}/tests/systemd/greedy"
BUILD_S = 240.0


@contextmanager
def drop_in(box: Box, unit: str, *lines: str) -> Iterator[None]:
    path = f"/run/systemd/system/{unit}.d/scarcity.conf"
    box.write(path, "\n".join(["[Service]", *lines, ""]))
    box.run("systemctl daemon-reload")
    try:
        yield
    finally:
        box.run(f"rm {path} && systemctl daemon-reload")


def await_words(box: Box, command: str, words: str, within_s: float) -> float:
    """Seconds until a command says it."""
    began = time.monotonic()
    while words not in (said := box.run(command, check=False)):
        assert time.monotonic() - began < within_s, said
        time.sleep(0.2)
    return time.monotonic() - began


def limits(box: Box, most: str) -> tuple[str, ...]:
    """Lines of a drop-in for builds that take all memory, up to `most`.

    Where the kernel does not count memory for the box they take none, see `run_out`.
    """
    take = "memory" if counts_memory(box) else "time"
    return (
        *(f"MemoryMax={most}", "MemorySwapMax=0"),
        f"Environment=PYTHONPATH={GREEDY} TAKE={take}",
    )


def counts_memory(box: Box) -> bool:
    return "memory" in box.run("cat /sys/fs/cgroup/cgroup.controllers").split()


def run_out(box: Box, unit: str) -> None:
    """The kernel ends the greedy process; or we do, by the score that it would go by."""
    if counts_memory(box):
        return
    await_words(box, "pgrep -f 'trt_build [b]uild'", "\n", BUILD_S)
    group = f"/sys/fs/cgroup$(systemctl show --value -p ControlGroup {unit})"
    score = f"for p in $(cat {group}/cgroup.procs); do echo $(cat /proc/$p/oom_score) $p; done"
    first = box.run(f"({score}) | sort -n | tail -n 1").split()[1]
    assert "trt_build\0build" in box.run(f"cat /proc/{first}/cmdline")
    box.run(f"kill -KILL {first}")
    print("\n  no memory controller here: killed by its score, not by the kernel")


def test_a_build_that_takes_all_memory_goes_and_the_daemon_stays(box: Box) -> None:
    """Both are in one cgroup with one limit; who goes is the kernel's choice."""
    with drop_in(box, "sambertd.service", *limits(box, "1G")):
        box.run("systemctl restart sambertd")
        began, pid = time.time(), main_pid(box)
        run_out(box, "sambertd.service")
        await_words(box, "sambertctl engines", "perhaps for want of memory", BUILD_S)
        report("memory gone, until the next sentence is spoken", speak(box, "内存不够了。"))
        assert main_pid(box) == pid
        assert int(box.fact("NRestarts")) == 0
        said = box.journal(began)
        assert "build of engines for yue: failed it was killed by SIGKILL" in said
    box.run("systemctl restart sambertd")


def test_a_build_unit_that_takes_all_memory_leaves_the_daemon_alone(box: Box) -> None:
    pid, unit = main_pid(box), "sambertd-build.service"
    with drop_in(box, unit, *limits(box, "200M")):
        building = box.start(f"systemctl start {unit}")
        run_out(box, unit)
        assert ended(building)[0] != 0
        assert box.fact("Result", unit) in ("oom-kill", "exit-code")
        box.run(f"systemctl reset-failed {unit}")
    speak(box)
    assert main_pid(box) == pid


@contextmanager
def full_disk(box: Box) -> Iterator[None]:
    """A disk of 256 KiB for all that the service keeps, with nothing left of it."""
    box.run("systemctl stop sambertd.socket sambertd.service")
    box.run(f"mount -t tmpfs -o size=256k,mode=0750 full {CACHE}")
    box.run(f"install -d -o sambertd -g sambertd {CACHE}/engines {CACHE}/phrases")
    box.run(f"cat /dev/zero > {CACHE}/fill", check=False)
    try:
        yield
    finally:
        box.run("systemctl stop sambertd.socket sambertd.service")
        box.run(f"umount {CACHE}; systemctl start sambertd.socket sambertd.service")


def test_a_full_disk_costs_the_cache_and_no_speech(box: Box) -> None:
    with full_disk(box):
        began = time.time()
        box.run("systemctl start sambertd.socket sambertd.service")
        report("disk full: first sentence", speak(box, "磁盘已满。"))
        pid = main_pid(box)
        said = box.journal(began, "-p warning")
        wanted = f"phrases cannot be kept in {CACHE}/phrases: No space left on device; free some"
        assert said.count(wanted) == 1, said
        speak(box, "再说一句。")
        assert box.journal(began, "-p warning").count(wanted) == 1, "once is enough"
        box.run(f"rm {CACHE}/fill")
        speak(box, "有空了。")
        await_words(box, f"ls {CACHE}/phrases", ".", 10)
        assert main_pid(box) == pid


def developer_packages(box: Box) -> str:
    """Where the box sees the packages that a build needs: those of the tests themselves."""
    own = Path(sysconfig.get_path("purelib"))
    python = box.run(
        "/opt/sambertd/current/bin/python -c 'import sys; print(sys.version_info[:2])'"
    )
    if python.strip() != str(sys.version_info[:2]):
        pytest.skip(f"the box runs Python {python.strip()}, the tests another: no onnx for it")
    path = f"{SOURCE}/{own.relative_to(ROOT)}" if own.is_relative_to(ROOT) else str(own)
    if box.run(f"runuser -u sambertd -- test -r {path} || echo no") or path.startswith(
        ("/root", "/home")
    ):
        pytest.skip(f"the service cannot read {path}")
    return path


@pytest.mark.slow
def test_a_full_disk_ends_a_build_with_its_reason(box: Box) -> None:
    packages = developer_packages(box)
    with full_disk(box), drop_in(box, "sambertd.service", f"Environment=PYTHONPATH={packages}"):
        box.run("systemctl start sambertd.socket sambertd.service")
        pid = main_pid(box)
        took = await_words(box, "sambertctl engines", "No space left on device", BUILD_S)
        report("disk full: until `sambertctl engines` says why there are none", took)
        assert "free some space there" in box.run("sambertctl engines")
        speak(box, "没有空间了。")
        assert main_pid(box) == pid
    await_state(box, "active", 30)
