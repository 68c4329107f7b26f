"""The Debian package in a real systemd: installed, upgraded while it speaks, removed, purged.

By its name it comes after test_service.py, whose last test leaves a box without sambertd.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from release.pins import Target, pins
from tests.systemd.box import ROOT, SOURCE, WHEELS, Box, ended, report
from tests.systemd.conftest import REQUESTED
from tests.systemd.service import main_pid, speak

pytestmark = pytest.mark.systemd
DPKG = "DEBIAN_FRONTEND=noninteractive dpkg"


def made(out: Path, *options: str) -> Path:
    """The package that `make deb` makes with these options."""
    command = [sys.executable, "-m", "release.deb", "--out", str(out), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (package,) = out.glob("*.deb")
    return package


@pytest.fixture(scope="module")
def wheels(bare_box: Box) -> str:
    """The folder of wheels, on this machine."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("no dpkg-deb here")
    return os.environ[REQUESTED]


@pytest.fixture(scope="module")
def package(wheels: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("deb"), "--wheels", wheels)


@pytest.fixture(scope="module")
def newer(wheels: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its sample of the settings differs, which must lead to no question."""
    folder = tmp_path_factory.mktemp("newer")
    package, tree = made(folder, "--wheels", wheels, "--mark", ".1"), folder / "tree"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    for sample in tree.rglob("sambertd.toml"):
        sample.write_text(sample.read_text("utf-8") + "# newer\n", "utf-8")
    packing = ("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, package)
    subprocess.run(packing, check=True, capture_output=True)
    shutil.rmtree(tree)
    return package


def things(box: Box) -> set[str]:
    """Everything of ours by name, and all that dpkg lists."""
    found = box.run(
        "find / -xdev -iname '*sambert*' -not -path '/mnt/*' -not -path '/proc/*' "
        "-not -path '/tmp/*' -newer /etc/machine-id 2>/dev/null || true"
    )
    return {
        line
        for line in found.splitlines()
        if line.startswith(("/usr/", "/opt/", "/etc/", "/var/lib/s", "/var/cache/s", "/run/s"))
    }


def test_lintian_finds_nothing(package: Path) -> None:
    if shutil.which("lintian") is None:
        pytest.skip("no lintian here: apt install lintian")
    command = ["lintian", "--allow-root", "--fail-on=error,warning", str(package)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_package_installs_and_speaks(bare_box: Box, package: Path) -> None:
    box = bare_box
    box.run("id kiosk || useradd -m kiosk")
    box.send(package, "/srv/sambertd.deb")
    began = time.monotonic()
    box.run(f"{DPKG} -i /srv/sambertd.deb")
    report("dpkg -i, without network, until it is ready", time.monotonic() - began)
    box.run("usermod -aG sambertd kiosk")
    assert box.fact("ActiveState") == "active"
    assert box.fact("FragmentPath").endswith("/lib/systemd/system/sambertd.service")
    report("first sentence", speak(box))
    listed = set(box.run("dpkg -L sambertd").splitlines())
    assert {"/usr/share/man/man1/sambertctl.1.gz", "/usr/share/man/man8/sambertd.8.gz"} <= listed
    box.run("cmp /etc/sambertd/sambertd.toml /usr/share/sambertd/systemd/sambertd.toml")
    assert {"/usr/bin/sambertctl", "/usr/share/bash-completion/completions/sambertctl"} <= listed
    assert "/usr/share/zsh/vendor-completions/_sambertctl" in listed
    assert "/usr/share/fish/vendor_completions.d/sambertctl.fish" in listed
    assert box.run("man -w sambertd").strip() == "/usr/share/man/man8/sambertd.8.gz"
    assert box.run("dpkg --verify sambertd") == ""
    for unit in ("sambertd.service", "sambertd-build.service"):
        box.run(f"systemd-analyze security --no-pager --threshold=15 {unit}")


def test_two_ways_to_install_are_kept_apart(bare_box: Box) -> None:
    for target in ("install", "uninstall"):
        words = bare_box.run(f"make -C {SOURCE} {target} WHEELHOUSE={WHEELS}", check=False)
        assert "sudo apt remove sambertd" in words
    speak(bare_box)


def test_the_package_upgrades_while_it_speaks(bare_box: Box, newer: Path) -> None:
    box = bare_box
    box.run("echo '# mine' >> /etc/sambertd/sambertd.toml")
    box.run("install -d -o sambertd -g sambertd /var/cache/sambertd/engines/kept")
    box.send(newer, "/srv/newer.deb")
    before, pid = box.run("readlink /opt/sambertd/current"), main_pid(box)
    installing = box.start(f"{DPKG} -i /srv/newer.deb")
    longest = 0.0
    while installing.poll() is None:
        longest = max(longest, speak(box, cut_off=True))
    code, words = ended(installing)
    assert code == 0, words
    report("dpkg -i of a newer one: longest wait for a sentence meanwhile", longest)
    assert main_pid(box) != pid
    assert box.run("readlink /opt/sambertd/current") != before
    assert len(box.run("ls /opt/sambertd/releases").split()) == 1
    assert "0.1.0.1+" in box.run("dpkg-query -W sambertd")
    assert box.run("tail -n 1 /etc/sambertd/sambertd.toml") == "# mine\n"
    box.run("test -d /var/cache/sambertd/engines/kept")


def test_what_is_disabled_stays_so_over_an_upgrade(bare_box: Box) -> None:
    box = bare_box
    box.run("systemctl -q disable --now sambertd.socket sambertd.service")
    assert "not enabled: not started" in box.run(f"{DPKG} -i /srv/newer.deb")
    assert box.fact("ActiveState") == "inactive"
    assert box.fact("ActiveState", "sambertd.socket") == "inactive"
    box.run("systemctl -q enable --now sambertd.socket sambertd.service")
    speak(box)


def test_removed_the_users_things_stay(bare_box: Box) -> None:
    box = bare_box
    box.run(f"{DPKG} -r sambertd")
    assert box.fact("LoadState") == "not-found"
    box.run("! test -e /opt/sambertd -o -e /usr/share/sambertd -o -e /run/sambertd")
    box.run("test -d /var/cache/sambertd/engines/kept && test -d /var/lib/sambertd/voices")
    assert box.run("tail -n 1 /etc/sambertd/sambertd.toml") == "# mine\n"
    box.run(f"{DPKG} -i /srv/sambertd.deb")
    speak(box)
    assert box.run("tail -n 1 /etc/sambertd/sambertd.toml") == "# mine\n"


def test_purged_nothing_is_left(bare_box: Box) -> None:
    box = bare_box
    box.run(f"{DPKG} -P sambertd")
    assert things(box) == set()
    box.run("! id sambertd && ! getent group sambertd")
    assert box.run("dpkg-query -W sambertd", check=False).startswith("dpkg-query: no packages")
    assert box.run("systemctl list-units --all --plain --no-legend 'sambertd*'") == ""


def test_the_other_processors_package_holds_its_wheels(tmp_path: Path, wheels: str) -> None:
    """It is made, not run: there is no such processor here."""
    command = [sys.executable, "-m", "release.deb", "--arch", "arm64", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode and "pip" in done.stderr:
        print("\n*** NO PACKAGE FOR arm64: PyPI cannot be reached", file=sys.stderr)
        pytest.skip("PyPI cannot be reached")
    assert done.returncode == 0, done.stderr
    (package,) = tmp_path.glob("*_arm64.deb")
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True).stdout
    names = [line.split("/")[-1] for line in listed.splitlines() if line.endswith(".whl")]
    python = re.search(r"python(3\.\d+)_arm64", package.name)
    assert python
    assert len(names) == len(pins(Target(python[1], "arm64"))) + 2  # and our own two
    for name in names:
        assert name.endswith(("-any.whl", "aarch64.whl")), name
    facts = subprocess.run(["dpkg-deb", "-f", package], capture_output=True, text=True).stdout
    assert "Architecture: arm64\n" in facts
