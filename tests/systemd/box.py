"""A throw-away machine: a systemd of its own (PID 1) in namespaces, over an overlay of this root.

What happens in it is real: units, cgroups, seccomp, the journal. Nothing is written to this
machine; it has no network. Needs root and systemd-nspawn.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
NEEDED = ("systemd-nspawn", "unshare", "nsenter", "systemd-analyze")
SOURCE, WHEELS = "/mnt/sambertd", "/mnt/wheels"  # where the box sees the checkout and the wheels
BOOT_S = 30.0

INNER = """
set -e
mount -t tmpfs -o size=4g,mode=0755 tmpfs {room}
mkdir {room}/upper {room}/work {room}/root
mount -t overlay overlay -o lowerdir=/,upperdir={room}/upper,workdir={room}/work {room}/root
cd {room}/root
: > etc/fstab
: > etc/machine-id
rm -rf usr/sbin/policy-rc.d opt/sambertd etc/sambertd var/lib/sambertd var/cache/sambertd
mkdir -p .{source} .{wheels}
exec systemd-nspawn --quiet -D . --register=no --keep-unit --machine=sambertd-box \
  --console=pipe --private-network --capability=all \
  --system-call-filter='bpf perf_event_open @keyring' \
  --bind-ro={checkout}:{source} --bind-ro={wheelhouse}:{wheels} -b systemd.unit=basic.target
"""


def missing() -> str:
    """Why no box can be had here; "" if one can."""
    if os.geteuid() != 0:
        return "a systemd of our own needs root: sudo make test-systemd"
    lacking = [tool for tool in NEEDED if shutil.which(tool) is None]
    if lacking:
        return f"no {', '.join(lacking)}: apt install systemd-container systemd-sysv"
    if not _mounts():
        return "this machine's container allows no mounts"
    return ""


def _mounts() -> bool:
    script = "mount -t tmpfs tmpfs /mnt && test -w /sys/fs/cgroup"
    return (
        subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True).returncode == 0
    )


class Box:
    """Booted when made; `close` takes all of it away."""

    def __init__(self, wheelhouse: Path) -> None:
        self._room = Path(tempfile.mkdtemp(prefix="sambertd-box-"))
        self._console = (self._room.parent / f"{self._room.name}.log").open("wb")
        script = INNER.format(
            room=self._room, checkout=ROOT, wheelhouse=wheelhouse, source=SOURCE, wheels=WHEELS
        )
        began = time.monotonic()
        self._nspawn = subprocess.Popen(
            ["unshare", "-m", "bash", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=self._console,
            stderr=self._console,
            start_new_session=True,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
        )
        self._leader = 0
        try:
            self._await_boot(began + BOOT_S)
        except BaseException:
            self.close()
            raise
        self.boot_s = time.monotonic() - began

    def _await_boot(self, until: float) -> None:
        while time.monotonic() < until and self._nspawn.poll() is None:
            self._leader = self._leader or _child_named(self._nspawn.pid, "systemd")
            if self._leader and self.run("systemctl is-system-running", check=False).strip() in (
                "running",
                "degraded",
            ):
                return
            time.sleep(0.05)
        raise RuntimeError(f"no boot:\n{Path(self._console.name).read_text('utf-8', 'replace')}")

    def run(self, command: str, *, check: bool = True, timeout_s: float = 300) -> str:
        """The output, both streams, of a shell command as root in the box."""
        done = subprocess.run(
            self._enter(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
        )
        assert done.returncode == 0 or not check, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def start(self, command: str) -> subprocess.Popen[str]:
        """A shell command in the box, beside what follows."""
        return subprocess.Popen(
            self._enter(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def write(self, path: str, text: str) -> None:
        folder = os.path.dirname(path)
        self.run(f"mkdir -p {folder} && printf %s {shlex.quote(text)} > {path}")

    def send(self, file: Path, to: str) -> None:
        """Copy a file of this machine into the box."""
        with file.open("rb") as content:
            subprocess.run(self._enter(f"cat > {to}"), stdin=content, check=True)

    def journal(self, since: float, *options: str) -> str:
        """Messages of the daemon's unit, without dates."""
        self.run("journalctl --sync")
        wanted = f"journalctl -u sambertd -o cat --no-pager --since=@{since:.3f}"
        return self.run(" ".join((wanted, *options)))

    def fact(self, name: str, unit: str = "sambertd") -> str:
        """A property of a unit."""
        return self.run(f"systemctl show --value -p {name} {unit}").strip()

    def close(self) -> None:
        if self._leader:
            with suppress(ProcessLookupError):
                os.kill(self._leader, signal.SIGRTMIN + 4)  # power off
        try:
            self._nspawn.wait(20 if self._leader else 0.1)
        except subprocess.TimeoutExpired:
            if self._leader:
                with suppress(ProcessLookupError):
                    os.kill(self._leader, signal.SIGKILL)
            self._nspawn.kill()
            self._nspawn.wait()
        self._console.close()
        Path(self._console.name).unlink()
        self._room.rmdir()

    def _enter(self, command: str) -> list[str]:
        return [
            "nsenter",
            "-t",
            str(self._leader),
            "-a",
            "--",
            "env",
            "-i",
            *ENVIRON,
            "bash",
            "-c",
            command,
        ]


ENVIRON = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
)


def _child_named(pid: int, name: str) -> int:
    """A child of a process by its name; 0: there is none yet."""
    for line in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split():
        with suppress(OSError):
            if Path(f"/proc/{line}/comm").read_text("utf-8").strip() == name:
                return int(line)
    return 0


def ended(process: subprocess.Popen[str], within_s: float = 60) -> tuple[int, str]:
    """Exit code and output of what `Box.start` began, once it has ended."""
    words = process.communicate(timeout=within_s)[0]
    return process.returncode, words


def report(what: str, seconds: float) -> None:
    print(f"\n  {what}: {seconds:.2f} s")
