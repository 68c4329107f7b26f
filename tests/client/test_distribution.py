"""`sambertd-client` by itself: what a robot's own environment gets."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.daemon.live import LiveDaemon

CLIENT = Path(__file__).resolve().parents[2] / "client"
NEEDS = ("zmq", "pyzmq.libs", "msgpack", "msgspec")  # as installed by pyzmq, msgpack, msgspec
OLDEST = (3, 9)
IMPORT_S = 0.15  # of processor time
SAY = """
import sys
from sambertd_client import Client
assert "asyncio" not in sys.modules, "it takes a while to import, and only AsyncClient needs it"
with Client(sys.argv[1]) as client:
    assert client.say("好" * 3).wait().samples == 3 * 800

import asyncio
from sambertd_client import AsyncClient

async def main():
    async with AsyncClient(sys.argv[1]) as voice:
        assert (await (await voice.say("好" * 3)).wait()).samples == 3 * 800

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A fresh environment with the wheel and what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("alone")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=CLIENT, check=True, capture_output=True)
    venv.create(folder / "venv", with_pip=False)
    (packages,) = (folder / "venv").glob("lib/python3*/site-packages")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    found = importlib.util.find_spec("zmq")
    assert found is not None
    assert found.origin is not None
    for name in NEEDS:
        there = Path(found.origin).parents[1] / name
        if there.exists():
            (packages / name).symlink_to(there)
    return str(folder / "venv" / "bin" / "python")


def run(python: str, *words: str) -> str:
    done = subprocess.run([python, "-I", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_speaks_without_the_rest(python: str, daemon: LiveDaemon) -> None:
    run(python, "-W", "error", "-c", SAY, daemon.endpoint)
    ours = ("daemon", "engines", "numpy")
    code = f"import importlib.util as u; print([name for name in {ours} if u.find_spec(name)])"
    assert run(python, "-c", code) == "[]\n"


def test_the_command(python: str, daemon: LiveDaemon, tmp_path: Path) -> None:
    command = ("-m", "sambertd_client.cli")
    assert run(python, *command, "--version").startswith("sambertctl ")
    out = tmp_path / "a.wav"
    run(python, *command, "say", "好", "--endpoint", daemon.endpoint, "--out", str(out))
    assert out.stat().st_size == 44 + 1600
    absent = subprocess.run([python, "-I", *command, "text", "好"], capture_output=True, text=True)
    assert absent.returncode == 2
    assert "comes with the daemon's package" in absent.stderr


def test_it_is_quick_to_import(python: str) -> None:
    clock = "time.process_time()"
    code = f"import time; t = {clock}; import sambertd_client; print({clock} - t)"
    assert min(float(run(python, "-c", code)) for _ in range(5)) < IMPORT_S


def test_its_grammar_is_that_of_the_oldest_python() -> None:
    for path in (*(CLIENT / "src").rglob("*.py"), *CLIENT.parent.glob("examples/*.py")):
        ast.parse(path.read_text("utf-8"), str(path), feature_version=OLDEST)
