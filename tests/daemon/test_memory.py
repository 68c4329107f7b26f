from __future__ import annotations

import platform
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
