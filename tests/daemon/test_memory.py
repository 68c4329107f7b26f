from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from daemon import memory


def test_the_kernel_is_asked_for_what_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 10e6 < memory.resident_bytes() < 100e9
    monkeypatch.setattr(memory, "STATM", Path("/nowhere"))
    assert memory.resident_bytes() == 0


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can")
def test_freed_memory_goes_back() -> None:
    blocks = [bytearray(100_000) for _ in range(1000)]  # below what is mapped on its own
    last = bytearray(100_000)  # above them: without help the heap cannot shrink
    del blocks
    held = memory.resident_bytes()
    memory.trim()
    assert held - memory.resident_bytes() > 50e6
    del last


HOLES = """
import sys
from daemon import memory
if sys.argv[1] == "apart":
    memory.keep_big_apart()
one = bytearray(30 << 20)
del one
blocks = [bytearray(4 << 20) for _ in range(32)]
held = memory.resident_bytes()
del blocks[::2]
print(held - memory.resident_bytes())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can")
def test_big_blocks_leave_no_holes() -> None:
    command, given_back = [sys.executable, "-c", HOLES], {}
    for way in ("apart", "as it is"):
        told = subprocess.run([*command, way], check=True, capture_output=True, text=True)
        given_back[way] = int(told.stdout)
    assert given_back["apart"] > 0.9 * 16 * (4 << 20)
    assert given_back["as it is"] < 0.5 * 16 * (4 << 20), "glibc needs no help any more"
