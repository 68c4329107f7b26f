"""Completion in real shells: bash, zsh and fish, each with the script that `sambertctl` prints."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest
from sambertd_client import protocol as wire
from sambertd_client.commands import parser
from sambertd_client.completion import SHELLS
from sambertd_client.completion.tree import Command, tree
from sambertd_client.extras import parsers

from daemon.doctor import parser as doctor_parser
from tests.daemon.live import LiveDaemon

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
ENVIRON = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "dumb", "COLUMNS": "200"}
Offered = Callable[[str], set[str]]
CASES = {
    "sambertctl st": {"status", "stats"},
    "sambertctl compl": {"completion"},
    "sambertctl say --spe": {"--speaker", "--speed"},
    "sambertctl say 你好 --au": {"--autostart"},
    "sambertctl say --queue ": {"append", "replace", "drop"},
    "sambertctl cancel --priority ": set(get_args(wire.Priority)),
    "sambertctl events sp": {"speaker"},
    "sambertctl events done --cou": {"--count"},
    "sambertctl events done st": {"started", "state"},
    "sambertctl keys al": {"allow"},
    "sambertctl keys allow x --role ": {"read", "speak", "admin"},
    "sambertctl prefetch READ": {"README.md"},
    "sambertctl say --out READ": {"README.md"},
    "sambertctl doctor --sen": {"--sentences"},
    "sambertctl text --emoji ": {"drop", "name"},
    "sambertctl completion ": {"bash", "zsh", "fish"},
    "sambertctl --ver": {"--version"},
}


def made(shell: str) -> str:
    command = [sys.executable, "-m", "sambertd_client.cli", "completion", shell]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with each shell's script, named as a shell looks for it."""
    folder = tmp_path_factory.mktemp("completion")
    names = ("sambertctl", "_sambertctl", "sambertctl.fish")
    for shell, name in zip(("bash", "zsh", "fish"), names, strict=True):
        (folder / name).write_text(made(shell), "utf-8")
    return folder


def bash(folder: Path) -> Offered:
    script = """
    source "$1"; shift
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }
    _sambertctl; ((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
    """

    def offered(line: str) -> set[str]:
        words = re.findall(r"[:=]+|[^\s:=]+", line) + [""] * line.endswith((" ", "="))
        command = ["bash", "-c", script, "bash", str(folder / "sambertctl"), *words]
        return words_of(command)

    return offered


def fish(folder: Path) -> Offered:
    def offered(line: str) -> set[str]:
        code = f"source {folder}/sambertctl.fish; complete -C {shlex.quote(line)} | cut -f 1"
        return words_of(["fish", "--no-config", "-c", code])

    return offered


def words_of(command: list[str]) -> set[str]:
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=ENVIRON)
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


class Zsh:
    """An interactive zsh on a terminal, where Tab lists what fits."""

    def __init__(self, folder: Path) -> None:
        self._process, self._terminal = pty.fork()
        if self._process == 0:
            os.chdir(ROOT)
            os.execvpe("zsh", ["zsh", "-f", "-i"], ENVIRON)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 100, 200, 0, 0))
        self._read = ""
        self._type(
            f"unset zle_bracketed_paste; fpath=({folder} $fpath); autoload -Uz compinit; "
            f"compinit -u -d {folder}/dump; LISTMAX=1000; bindkey '^I' list-choices; "
            "zstyle ':completion:*' verbose no; PS1='at''-the-prompt '\n"
        )
        self._until(r"at-the-prompt ")

    def offered(self, line: str) -> set[str]:
        """What is listed for it; Tab is pressed until something is."""
        self._read = ""
        self._type(line)
        shown = rf"{re.escape(line)}\r*\n(.*)\n[^\n]*at-the-prompt {re.escape(line)}"
        listed = self._until(shown, again="\t")
        self._type("\x15")  # Ctrl-U
        return set(listed.split())

    def close(self) -> None:
        os.close(self._terminal)
        os.waitpid(self._process, 0)

    def _type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def _until(self, pattern: str, again: str = "") -> str:
        """What the pattern's group is, once the screen has it. again: a key, now and then."""
        began, typed = time.monotonic(), 0
        os.set_blocking(self._terminal, False)
        while (found := re.search(pattern, self._read, re.DOTALL)) is None:
            since = time.monotonic() - began
            assert since < 60, self._read
            if again and since >= 5 * typed:
                self._type(again)
                typed += 1
            try:
                self._read += os.read(self._terminal, 65536).decode("utf-8", "replace")
            except BlockingIOError:
                time.sleep(0.02)
        return found[1] if found.re.groups else ""


@pytest.fixture(scope="module")
def zsh(scripts: Path) -> Iterator[Zsh]:
    here("zsh")
    shell = Zsh(scripts)
    yield shell
    shell.close()


def here(shell: str) -> None:
    if shutil.which(shell) is None:
        print(f"\n*** COMPLETION IN {shell} IS NOT TRIED: tests/packages shells", file=sys.stderr)
        pytest.skip(f"no {shell} here: apt install {shell}")


@pytest.fixture(params=["bash", "fish", "zsh"])
def offered(request: pytest.FixtureRequest, scripts: Path) -> Offered:
    here(request.param)
    if request.param == "zsh":
        shell: Zsh = request.getfixturevalue("zsh")
        return shell.offered
    return bash(scripts) if request.param == "bash" else fish(scripts)


@pytest.mark.parametrize("line", CASES)
def test_what_fits_is_offered(offered: Offered, line: str) -> None:
    assert offered(line) == CASES[line]


def test_several_words_apart_by_commas(offered: Offered) -> None:
    words = {word.rpartition(",")[2] for word in offered("sambertctl say --marks word,s")}
    assert words == {"sentence", "syllable"}
    words = {word.rpartition(",")[2] for word in offered("sambertctl say --marks word,user,")}
    assert words == {*get_args(wire.MarkKind)} - {"word", "user"}, "each once"
    assert {"word", "user"} <= offered("sambertctl say --marks ")


def test_packs_are_offered_and_no_other_folders(offered: Offered, daemon: LiveDaemon) -> None:
    at = f"sambertctl load --endpoint {daemon.endpoint}"
    until = time.monotonic() + 60
    while (found := {word.rstrip("/") for word in offered(f"{at} ")}) != {"voices", "tone"}:
        assert time.monotonic() < until, found
    found = {word.rstrip("/").rpartition("/")[2] for word in offered("sambertctl load voices/")}
    assert found == {"yue"}


def test_the_daemon_is_asked_for_names(daemon: LiveDaemon, offered: Offered) -> None:
    """Where the words say, before the name."""
    at = f"sambertctl say --endpoint {daemon.endpoint}"
    assert insisted(offered, f"{at} --voice ") == {"tone"}
    assert insisted(offered, f"{at} --emotion n") == {"neutral"}
    assert insisted(offered, f"sambertctl unload --endpoint {daemon.endpoint} t") == {"tone"}


def insisted(offered: Offered, line: str) -> set[str]:
    """Asked again while the daemon is too slow for a person who waits."""
    until = time.monotonic() + 60
    while not (names := offered(line)):
        assert time.monotonic() < until
    return names


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_every_option_of_every_command(shell: str, scripts: Path) -> None:
    here(shell)
    offered = bash(scripts) if shell == "bash" else fish(scripts)
    for command in whole().all():
        flags = {name for one in command.options for name in one.names if name[:2] == "--"}
        assert offered(f"sambertctl {command.path} --".replace("  ", " ")) == flags
        if command.commands:
            below = {one.name for one in command.commands}
            assert below <= offered(f"sambertctl {command.path} ".replace("  ", " "))


def whole() -> Command:
    return tree(parser(), parsers())


def test_commands_of_other_packages_are_in_it() -> None:
    (doctor,) = (one for one in whole().commands if one.name == "doctor")
    names = {name for one in doctor.options for name in one.names}
    assert names == set(doctor_parser()._option_string_actions)


def test_a_command_whose_options_are_not_known_takes_files(scripts: Path) -> None:
    root = tree(parser(), {"sing": None})
    (scripts / "other").mkdir()
    (scripts / "other" / "sambertctl").write_text(SHELLS["bash"](root), "utf-8")
    assert bash(scripts / "other")("sambertctl sing READ") == {"README.md"}


def test_an_option_with_its_value_after_an_equals_sign(scripts: Path) -> None:
    assert bash(scripts)("sambertctl say --queue=re") == {"replace"}
    assert bash(scripts)("sambertctl say --speed=0.9 --queue=") == {"append", "replace", "drop"}
    assert bash(scripts)("sambertctl say --endpoint tcp://box:5555 --pri") == {"--priority"}
    assert bash(scripts)("sambertctl say --speed ") == set()


def test_a_name_is_never_run_by_the_shell(scripts: Path, tmp_path: Path) -> None:
    """bash's compgen would: it expands its words."""
    hostile = tmp_path / "sambertctl"
    hostile.write_text(f"#!/bin/sh\necho '$(touch {tmp_path}/owned)'\n")
    hostile.chmod(0o755)
    assert bash(scripts)(f"{hostile} say --voice ") != set()
    assert not (tmp_path / "owned").exists()


def test_no_names_without_a_daemon(folder: Path) -> None:
    command = [sys.executable, "-m", "sambertd_client.cli", "completion", "--names", "voices"]
    command += ["--endpoint", f"ipc://{folder}/none.sock"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_shell_is_that_of_the_user_unless_named() -> None:
    command = [sys.executable, "-m", "sambertd_client.cli", "completion"]
    fish_user = {**os.environ, "SHELL": "/usr/bin/fish"}
    done = subprocess.run(command, env=fish_user, capture_output=True, text=True, check=True)
    assert done.stdout == made("fish")
    nobody = {**os.environ, "SHELL": "/usr/sbin/nologin"}
    done = subprocess.run(command, env=nobody, capture_output=True, text=True)
    assert done.returncode == 2
    assert "sambertctl completion bash|zsh|fish" in done.stderr
