"""Real voice packs of random weights, made once, and a fake GPU."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import random_voice
from engines import gpu_room
from engines.libcuda import Driver
from tests.engines.fake_gpu import Card, libcuda, pycuda_driver
from tests.engines.fake_tensorrt import tensorrt


@pytest.fixture(scope="session")
def models() -> random_voice.Models:
    """PyTorch models without a neural source filter, so that audio is a function of the text."""
    return random_voice.tiny(nsf=False)


@pytest.fixture(scope="session")
def plain_pack(models: random_voice.Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those models as a pack."""
    return random_voice.write(models, tmp_path_factory.mktemp("voices") / "plain", "plain")


@pytest.fixture(scope="session")
def nsf_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack with a neural source filter and a fixed attention band."""
    return random_voice.write(random_voice.tiny(), tmp_path_factory.mktemp("voices") / "nsf", "nsf")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    """A fake GPU under pycuda, TensorRT and libcuda; no rule may be broken, nothing left behind."""
    it = Card()
    for name, names in (("pycuda.driver", pycuda_driver(it)), ("tensorrt", tensorrt(it))):
        module = types.ModuleType(name)
        module.__dict__.update(names)
        monkeypatch.setitem(sys.modules, name, module)
    package = types.ModuleType("pycuda")
    package.__dict__["driver"] = sys.modules["pycuda.driver"]
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setattr(gpu_room, "Driver", lambda: Driver(libcuda(it)))
    yield it
    assert it.faults == []
    assert (it.blocks, it.pinned, it.graphs, it.executables) == ({}, [], {}, {})
    assert (it.current, it.retained) == (0, 0)
