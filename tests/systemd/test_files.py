"""What is installed besides the program: sample of the settings, manuals, completion, installer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sambertd_client.commands import parser as client_parser
from sambertd_client.completion.tree import tree
from sambertd_client.extras import parsers

from daemon.command_line import _parser as daemon_parser
from daemon.config import default, load
from tests.systemd.box import ROOT

FILES = ROOT / "systemd"
ENVIRON = {
    "RUNTIME_DIRECTORY": "/run/sambertd",
    "CACHE_DIRECTORY": "/var/cache/sambertd",
    "STATE_DIRECTORY": "/var/lib/sambertd",
}


def test_the_sample_says_the_defaults(tmp_path: Path) -> None:
    """Also what it has in comments, as if all of it were taken in."""
    text = (FILES / "sambertd.toml").read_text("utf-8")
    active = re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE)
    active = active.replace('voice = "yue"', 'voice = ""')
    (tmp_path / "all.toml").write_text(active, "utf-8")
    settings = load(tmp_path / "all.toml", ENVIRON)
    assert settings.voices == Path("/var/lib/sambertd/voices")
    expected = default(ENVIRON)
    groups = ("limits", "engines", "cache", "text", "speaker", "access", "metrics")
    for name in ("endpoint", "voice", "log_level", *groups):
        assert getattr(settings, name) == getattr(expected, name)
    assert settings.endpoint == "ipc:///run/sambertd/sambertd.sock"
    assert settings.engines.store == Path("/var/cache/sambertd/engines")


def test_the_sample_names_every_key() -> None:
    text = (FILES / "sambertd.toml").read_text("utf-8")
    settings = default(ENVIRON)
    for name in ("limits", "engines", "cache", "text", "speaker", "access", "metrics"):
        group = getattr(settings, name)
        for key in group.__dataclass_fields__:
            assert re.search(rf"^# {key} = ", text, re.MULTILINE), key
    groups = {"limits", "engines", "cache", "text", "speaker", "access", "metrics"}
    for key in settings.__dataclass_fields__.keys() - groups:
        assert re.search(rf"^(# )?{key} = ", text, re.MULTILINE), key


@pytest.mark.parametrize("unit", ["sambertd.service", "sambertd-build.service"])
def test_no_unit_calls_what_the_installer_does_not_put_there(unit: str) -> None:
    text = (FILES / unit).read_text("utf-8")
    installer = (FILES / "install").read_text("utf-8")
    for path in set(re.findall(r"/(?:opt|etc|var)/\S+?(?=[\s*\"';]|$)", text)):
        known = ("/opt/sambertd/current/bin/", "/etc/sambertd/", "/var/lib/sambertd")
        assert path.startswith(known), path
    for word in ("HOME_DIR=/opt/sambertd", "CURRENT=$HOME_DIR/current", "STATE=/var/lib/sambertd"):
        assert word in installer


@pytest.mark.parametrize("unit", ["sambertd.service", "sambertd-build.service"])
def test_the_fence_of_the_units_scores_well(unit: str) -> None:
    """Also in a real systemd, by test_service.py and test_the_package.py; this needs no root."""
    if shutil.which("systemd-analyze") is None:
        print("\n*** THE FENCE IS NOT SCORED: apt install systemd", file=sys.stderr)
        pytest.skip("no systemd-analyze here: apt install systemd")
    command = ["systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold=15"]
    done = subprocess.run([*command, str(FILES / unit)], capture_output=True, text=True)
    if "unrecognized option" in done.stderr:
        pytest.skip("systemd-analyze before systemd 250 scores running units only")
    assert done.returncode == 0, done.stdout + done.stderr


def manual(name: str) -> str:
    return (FILES / "man" / name).read_text("utf-8").replace("\\-", "-")


def test_the_manuals_know_every_option_and_command() -> None:
    daemon_page, client_page = manual("sambertd.8"), manual("sambertctl.1")
    for option in daemon_parser()._option_string_actions:
        if option.startswith("--") and option not in ("--help", "--version"):
            assert option in daemon_page, option
    for command in tree(client_parser(), parsers()).all():
        assert command.name in client_page
        for name in (name for one in command.options for name in one.names):
            assert name in ("-h", "--help", "--version") or name in client_page, name


@pytest.mark.skipif(shutil.which("man") is None, reason="no man here")
@pytest.mark.parametrize("page", ["sambertd.8", "sambertctl.1"])
def test_the_manuals_render_without_a_warning(page: str) -> None:
    command = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(FILES / "man" / page)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_installer_names_the_cure_where_there_is_no_python() -> None:
    command = ["bash", str(FILES / "install"), "wheelhouse"]
    environ = {"PATH": "/usr/bin:/bin", "WHEELHOUSE": "/nonexistent", "PYTHON": "no-such-python"}
    done = subprocess.run(command, capture_output=True, text=True, env=environ)
    assert done.returncode == 1
    assert "apt install python3 python3-venv" in done.stderr


def installer(call: str) -> list[str]:
    """A command that calls a function of the installer."""
    return ["bash", "-c", f"source <(sed '/^case /,$d' {FILES / 'install'}); cd {ROOT}; {call}"]


@pytest.mark.parametrize("call", ["wheelhouse", "RELEASE=$WHEELHOUSE/none; install_packages"])
def test_an_unknown_extra_ends_it_before_anything_is_fetched(call: str, tmp_path: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "EXTRAS": "build,torch", "WHEELHOUSE": str(tmp_path)}
    done = subprocess.run(installer(call), capture_output=True, text=True, env=environ)
    assert done.returncode == 1
    assert done.stderr == "install: EXTRAS: torch; choose of build, pesq, gpu\n"


@pytest.mark.parametrize(
    ("extra", "package", "runtime"),
    [("build", "pystoi>=", True), ("pesq", "pesq>=", True), ("gpu", "tensorrt>=", False)],
)
def test_an_extra_brings_its_packages_within_the_pins(
    extra: str, package: str, runtime: bool
) -> None:
    command = installer("pinned; more_requirements")
    environ = {"PATH": "/usr/bin:/bin", "EXTRAS": extra}
    words = subprocess.run(command, capture_output=True, text=True, env=environ).stdout
    assert re.search(rf"^{package}", words, re.MULTILINE)
    pinned = re.findall(r"^onnxruntime==.*\n( +--hash=.*\n)+", words, re.MULTILINE)
    assert bool(pinned) is runtime
    assert re.search(r"^numpy==", words, re.MULTILINE)
    environ["HASHES"] = "no"
    words = subprocess.run(command, capture_output=True, text=True, env=environ).stdout
    assert "--hash" not in words
    assert re.search(r"^numpy==", words, re.MULTILINE)


@pytest.mark.parametrize(
    ("prefix", "places"),
    [
        (
            "/usr",
            {"zsh/vendor-completions/_sambertctl", "fish/vendor_completions.d/sambertctl.fish"},
        ),
        ("/usr/local", {"zsh/site-functions/_sambertctl", "/etc/fish/completions/sambertctl.fish"}),
    ],
)
def test_completion_goes_where_each_shell_looks(prefix: str, places: set[str]) -> None:
    """In what is installed and in a package; `uninstall` takes the same files."""
    environ = {"PATH": "/usr/bin:/bin", "PREFIX": prefix}
    command = installer("printf '%s\\n' \"${COMPLETION[@]}\"")
    told = subprocess.run(command, capture_output=True, text=True, env=environ).stdout.split()
    wanted = {os.path.join(prefix, "share", place) for place in places}
    assert set(told) == {*wanted, f"{prefix}/share/bash-completion/completions/sambertctl"}


def test_what_hangs_the_daemon_in_systemd_still_finds_its_place() -> None:
    """Else those tests, which run as root only, would find that nothing hangs."""
    path = f"{ROOT / 'tests' / 'systemd' / 'hang'}:{ROOT}:{ROOT / 'client' / 'src'}"
    command = [sys.executable, "-c", "import sitecustomize; sitecustomize.hanging  # sambertd"]
    environ = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, env=environ)
    assert (done.returncode, done.stderr) == (0, "")
