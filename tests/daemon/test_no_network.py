"""The daemon speaks in a network namespace that has nothing, and opens no network socket."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sambertd_client import Client
from sambertd_client.endpoint import is_listening

ROOT = Path(__file__).parent.parent.parent
NETWORK = ("tcp", "tcp6", "udp", "udp6", "udplite", "raw", "raw6", "icmp", "packet")


def alone() -> list[str]:
    """The command that runs another without a network; the test is left out where there is none."""
    for command in (["unshare", "-n"], ["unshare", "-rn"]):  # as root; as a user of one's own
        try:
            if subprocess.run([*command, "true"], capture_output=True).returncode == 0:
                return command
        except FileNotFoundError:
            break
    print("\n*** NOT TESTED WITHOUT A NETWORK: no namespace is to be had", file=sys.stderr)
    pytest.skip("no network namespace is to be had here: run it as root")


@pytest.fixture
def daemon_alone(folder: Path) -> Iterator[tuple[str, int]]:
    """Endpoint and process of a daemon with the built-in voice and nothing but itself around."""
    endpoint = f"ipc://{folder / 'd.sock'}"
    command = [sys.executable, "-m", "daemon", "--endpoint", endpoint, "--build", "never"]
    options = ["--store", str(folder / "engines"), "--voices", str(ROOT / "voices")]
    environ = {**os.environ, "XDG_CACHE_HOME": str(folder), "HOME": str(folder)}
    process = subprocess.Popen([*alone(), *command, *options], env=environ)
    try:
        until = time.monotonic() + 60
        while not is_listening(endpoint):
            assert process.poll() is None, "it ended at once"
            assert time.monotonic() < until
            time.sleep(0.05)
        yield endpoint, process.pid
    finally:
        process.terminate()
        code = process.wait(30)
    assert code == 0


def sockets(pid: int) -> set[int]:
    """The inodes of all sockets that a process has open."""
    links = (os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir())
    found = (re.fullmatch(r"socket:\[(\d+)\]", link) for link in links)
    return {int(match[1]) for match in found if match}


def inodes(pid: int, table: str) -> set[int]:
    """The inodes of one kind of sockets in the namespace of a process."""
    path = Path(f"/proc/{pid}/net/{table}")
    lines = path.read_text("ascii").splitlines()[1:] if path.exists() else []
    column = {"unix": 6, "packet": 8}.get(table, 9)
    return {int(line.split()[column]) for line in lines}


def test_it_speaks_without_a_network_and_opens_no_socket_of_one(
    daemon_alone: tuple[str, int],
) -> None:
    endpoint, pid = daemon_alone
    home = Path(endpoint.removeprefix("ipc://")).parent
    with Client(endpoint, timeout=60) as client:
        while client.status().state == "loading":
            time.sleep(0.05)
        with client.say("没有网络，我也能说话。2026年11月25日。") as speech:
            pcm = b"".join(speech)
        sound = np.frombuffer(pcm, "<i2")
        assert len(sound) > 16000
        assert np.abs(sound).max() > 1000
        links = Path(f"/proc/{pid}/net/dev").read_text("ascii").splitlines()[2:]
        assert [line.split(":")[0].strip() for line in links] == ["lo"]
        opened = sockets(pid)
        assert opened, "it has at least its own"
        # What it accepted counts where the client is; netlink is udev's, for sound cards.
        local = inodes(pid, "unix") | inodes(os.getpid(), "unix") | inodes(pid, "netlink")
        assert opened <= local
        assert {table: found for table in NETWORK if (found := inodes(pid, table))} == {}
    assert not (home / "Microsoft").exists(), "what ONNX Runtime would tell its maker"
    assert not (home / ".cache").exists()
