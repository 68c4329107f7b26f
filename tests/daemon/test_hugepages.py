from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.hugepages import ASK, MODE, TUNABLES, wanted

PROGRAM = """
import os, sys
from daemon import hugepages
print(os.getpid(), flush=True)
hugepages.ask()
print(os.environ.get("GLIBC_TUNABLES"), *sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("mode", "environment", "expected"),
    [
        ("always [madvise] never", {}, True),
        ("always [madvise] never", {TUNABLES: ""}, False),
        ("[always] madvise never", {}, False),
        ("always madvise [never]", {}, False),
    ],
)
def test_asks_where_it_matters_and_nobody_has_decided(
    tmp_path: Path, mode: str, environment: dict[str, str], expected: bool
) -> None:
    file = tmp_path / "enabled"
    file.write_text(mode)
    assert wanted(environment, file) is expected
    assert not wanted({}, tmp_path / "none")


@pytest.mark.skipif(not wanted({}), reason=f"{MODE} is not on madvise here")
def test_starts_anew_once_with_the_same_number_and_arguments() -> None:
    environment = {name: value for name, value in os.environ.items() if name != TUNABLES}
    command = [sys.executable, "-c", PROGRAM, "two words", "x"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    first, second, told = done.stdout.splitlines()
    assert first == second
    assert told == f"{ASK} two words x"
