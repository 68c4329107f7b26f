"""The package's outside: its scripts, and what it says where it cannot be made.

What it does when installed is in tests/systemd/test_the_package.py.
"""

from __future__ import annotations

import os
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
    environ = {**os.environ, "DESTDIR": str(tmp_path), "PREFIX": "/usr"}
    environ["SAMBERTCTL"] = str(Path(sys.executable).with_name("sambertctl"))
    subprocess.run([str(ROOT / "systemd/install"), "files"], env=environ, check=True)
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if not p.is_dir()}
    assert not [name for name in found if name.startswith("etc/")]  # no prompts over settings
    assert "usr/lib/systemd/system/sambertd.service" in found
    assert "usr/share/man/man1/sambertctl.1" in found
    for name, mark in (
        ("usr/share/bash-completion/completions/sambertctl", "complete -F"),
        ("usr/share/zsh/vendor-completions/_sambertctl", "#compdef sambertctl"),
        ("usr/share/fish/vendor_completions.d/sambertctl.fish", "complete -c sambertctl"),
    ):
        assert mark in (tmp_path / name).read_text("utf-8")
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "usr/bin/sambertctl").is_symlink()


@pytest.mark.parametrize("room", ["deb", "pins"])
@pytest.mark.parametrize("extra", ["gpu", "pesq", "dev", "nonsense"])
def test_what_is_not_for_other_boxes_is_refused(room: str, extra: str, tmp_path: Path) -> None:
    """In one line with its code; before anything is fetched."""
    more = {"deb": [], "pins": ["--python", "3.12", "--arch", "arm64", str(tmp_path)]}[room]
    command = [sys.executable, "-m", f"release.{room}", "--extras", f"build,{extra}", *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"{extra}: wheels for other boxes" in done.stderr
    assert done.stderr.rstrip().endswith("[extra_unknown]")


def test_make_passes_extras_on() -> None:
    """They went unnoticed for other boxes: `make wheelhouse EXTRAS=build ARGS=...`."""
    text = (ROOT / "Makefile").read_text("utf-8")
    for room in ("deb", "pins"):
        (line,) = (line for line in text.splitlines() if f"-m release.{room} " in line)
        assert '--extras "$$EXTRAS"' in line


def test_without_the_wheels_no_package_is_left(tmp_path: Path) -> None:
    empty, out = tmp_path / "wheels", tmp_path / "out"
    empty.mkdir()
    command = [sys.executable, "-m", "release.deb", "--wheels", str(empty), "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "the package was not made" in done.stderr
    assert not list(out.glob("*.deb")) if out.exists() else True
