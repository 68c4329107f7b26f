"""What the documents tell to type is typed: python blocks run, and so do the lines of sh blocks.

A line that cannot run here stands in a list with its reason; what Python is told is then checked
as far as its arguments. A new line that is in none of the lists runs.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.daemon.live import served

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for pattern in ("README.md", "client/README.md", "examples/README.md", "docs/**/*.md")
    for path in ROOT.glob(pattern)
)
LIMIT_S = 120
UNKNOWN = "--no-such-option"

# Arguments are parsed, and nothing is done.
ONLY_PARSED = {
    r"python -m benchmarks\.": "measures for minutes",
    r"python -m trt_build (build|calibrate|verify|import)": "takes minutes, or a checkpoint",
    r"sambertd ": "one runs already, for these tests",
    r"sambertctl (keys new|say --endpoint tcp)": "another box; tests/systemd/test_fleet.py does it",
    r"sambertctl say --voice zhitian_emo": "a voice that is not ours to ship",
    r"sambertctl .*(SERVER_PUBLIC|tcp://BOX|sambertd-hall)": "names another daemon, or its key",
}
NOT_RUN = {
    r"sudo ": "changes the machine; `make test-systemd` does it in one of its own",
    r"make ": "sets up, or takes long; its target must be there",
    r"pip install": "fetches packages; the extras must be there",
    r"python3 -m venv": "as above",
    r"modelscope download": "fetches what is large",
    r"git ": "fetches what is large",
    r"for python in": "asks PyPI",
    r"for kind in service socket": "changes the machine, with sudo",
    r"\.venv/bin/pre-commit install": "changes the hooks of the checkout",
    r"\. \.venv/bin/activate": "these tests run in it",
    r"export PATH=/usr/local/cuda": "there is none here",
    r"curl --unix-socket": "a service's; tests/docs/test_metrics.py asks its own daemon",
}


class Block(NamedTuple):
    place: str
    language: str
    text: str


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            line = text.count("\n", 0, found.start()) + 1
            yield Block(f"{page.relative_to(ROOT)}:{line}", found[1], found[2])


def lines() -> Iterator[tuple[str, str]]:
    """Every command of the sh blocks, its continuation with it and its comment without."""
    for block in blocks():
        if block.language in ("sh", "bash", "console"):
            joined = re.sub(r"\\\n|; do\n(?s:.*?)^done$", one_line, block.text, flags=re.MULTILINE)
            for line in joined.splitlines():
                command = re.sub(r"(^|\s)#.*$", "", line.removeprefix("$ ")).strip()
                if command:
                    yield block.place, command


def one_line(part: re.Match[str]) -> str:
    """A continued line, or a loop."""
    if part[0].startswith("\\"):
        return " "
    first, *rest = part[0].replace("\\\n", " ").split("\n")
    return f"{first} {' ; '.join(rest)}"


def listed(command: str, table: dict[str, str]) -> bool:
    return any(re.match(pattern, command) for pattern in table)


BLOCKS = [block for block in blocks() if block.language == "python"]
LINES = list(lines())
PARSED = [line for line in LINES if listed(line[1], ONLY_PARSED)]
LEFT = [line for line in LINES if listed(line[1], NOT_RUN)]
RUN = [line for line in LINES if line not in PARSED and line not in LEFT]


def shown(line: object) -> str:
    return str(line)[:50] if isinstance(line, str) else ""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(ROOT / "voices", tmp_path_factory.mktemp("d"), "--device", "null") as endpoint:
        yield endpoint


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder that looks like a checkout to who only reads."""
    for name in ("voices", "benchmarks", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def shell(command: str, there: Path, endpoint: str = "") -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    places = f"{ROOT}:{ROOT / 'client/src'}"
    home = {"HOME": str(there), "XDG_CONFIG_HOME": str(there), "XDG_CACHE_HOME": str(there)}
    ours = {"PATH": path, "PYTHONPATH": places, "SAMBERTD_ENDPOINT": endpoint}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=there,
        env={**os.environ, **home, **ours},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_python(block: Block, there: Path, endpoint: str) -> None:
    script = there / "block.py"
    script.write_text(f"ENDPOINT = {endpoint!r}\n{block.text}", "utf-8")
    done = shell("python -W error block.py", there, endpoint)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("place", "command"), RUN, ids=shown)
def test_shell(place: str, command: str, there: Path, endpoint: str) -> None:
    done = shell(command, there, endpoint)
    assert done.returncode == 0, f"{place}: {done.stderr}"


@pytest.mark.parametrize(("place", "command"), PARSED, ids=shown)
def test_arguments(place: str, command: str, there: Path) -> None:
    done = shell(f"{command.removesuffix('&')} {UNKNOWN}", there)
    assert done.returncode == 2, place
    assert f"unrecognized arguments: {UNKNOWN}" in done.stderr


def test_make_targets_and_extras_are_there() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert phony is not None
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    for place, command in LINES:
        made = re.match(r"(?:sudo )?(?:--\S+ )*make ([a-z-]+)", command)
        assert made is None or made[1] in phony[1].split(), f"{place}: {command}"
        for extras in re.findall(r"'\.\[(.+?)\]'", command):
            for extra in extras.split(","):
                assert re.search(rf"^{extra} = \[", project, re.MULTILINE), f"{place}: {extra}"


def test_the_lists_have_no_stale_entry() -> None:
    commands = [command for _, command in LINES]
    for pattern in (*ONLY_PARSED, *NOT_RUN):
        assert any(re.match(pattern, command) for command in commands), pattern


def test_there_is_something_to_run() -> None:
    assert len(BLOCKS) >= 4
    assert len(RUN) >= 8
    assert {place.partition(":")[0] for place, _ in RUN} >= {"README.md", "docs/OPERATIONS.md"}
