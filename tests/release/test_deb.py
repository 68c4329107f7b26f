"""The package's outside: its scripts, and what it says where it cannot be made.

What it does when installed is in tests/systemd/test_the_package.py.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from release.deb import SCRIPTS
from release.pins import ROOT

DEB = ROOT / "systemd/deb"


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_scripts_are_sound_and_stop_at_a_fault(name: str) -> None:
    text = (DEB / name).read_text("utf-8")
    assert text.startswith("#!/bin/sh\n")
    assert re.search(r"^set -e$", text, re.MULTILINE)
    subprocess.run(["sh", "-n", str(DEB / name)], check=True)


def test_the_scripts_call_what_the_installer_knows() -> None:
    installer = (ROOT / "systemd/install").read_text("utf-8")
    for name in SCRIPTS:
        for word in re.findall(r"systemd/install (\w+)", (DEB / name).read_text("utf-8")):
            assert re.search(rf"^  {word}\) ", installer, re.MULTILINE), word


def test_the_files_of_the_system_go_below_the_folder_named(tmp_path: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "DESTDIR": str(tmp_path), "PREFIX": "/usr"}
    subprocess.run([str(ROOT / "systemd/install"), "files"], env=environ, check=True)
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if not p.is_dir()}
    assert "etc/sambertd/sambertd.toml" in found
    assert "usr/lib/systemd/system/sambertd.service" in found
    assert "usr/share/man/man1/sambertctl.1" in found
    assert "usr/share/bash-completion/completions/sambertctl" in found
    assert (tmp_path / "usr/bin/sambertctl").is_symlink()


def test_without_the_wheels_no_package_is_left(tmp_path: Path) -> None:
    empty, out = tmp_path / "wheels", tmp_path / "out"
    empty.mkdir()
    command = [sys.executable, "-m", "release.deb", "--wheels", str(empty), "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "the package was not made" in done.stderr
    assert not list(out.glob("*.deb")) if out.exists() else True
