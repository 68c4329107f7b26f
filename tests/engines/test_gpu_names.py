"""What engines/ uses of TensorRT, pycuda and the driver is in every release it must run with."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.engines.fake_gpu import Card, pycuda_driver
from tests.engines.fake_tensorrt import tensorrt

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data/tensorrt"
RELEASES = {"10.3", "10.16", "11.4"}
# Which class of TensorRT, or of pycuda, the variables and attributes of engines/ hold.
TENSORRT = {
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "context": "IExecutionContext",
    "severity": "ILogger.Severity",
}
PYCUDA = {"stream": "Stream", "primary": "Context", "card": "Device", "device": "DeviceAllocation"}
HOMES = [
    path
    for path in sorted((ROOT / "engines").glob("*.py"))
    if "import tensorrt" in (text := path.read_text("utf-8")) or "import pycuda" in text
]


def releases() -> dict[str, set[str]]:
    lines = (DATA / "names.tsv").read_text("utf-8").splitlines()
    return {name: set(told.split()) for name, told in (line.split("\t") for line in lines)}


KNOWN = releases()
PYCUDA_NAMES = set((DATA / "pycuda.txt").read_text("utf-8").split())


def chains(source: str) -> Iterator[list[str]]:
    """Every a.b.c as ["a", "b", "c"], the longest of it only."""
    tree = ast.parse(source)
    inner = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            chain: list[str] = []
            at: ast.expr = node
            while isinstance(at, ast.Attribute):
                chain.insert(0, at.attr)
                at = at.value
            yield [at.id if isinstance(at, ast.Name) else "", *chain]


def of(source: str, module: tuple[str, ...], classes: dict[str, str]) -> set[str]:
    """Names that a source uses of a module and of its objects."""
    found = set()
    for chain in chains(source):
        if chain[0] in module:
            found.add(".".join(chain[1:]))
        for owner, member in pairwise(chain):
            if owner in module and chain[0] not in module:  # self.cuda.Error
                found.add(member)
            if owner.lstrip("_") in classes and not member.startswith("_"):
                found.add(f"{classes[owner.lstrip('_')]}.{member}")
    return {name for name in found if not name.endswith(("__init__", "__version__"))}


def lacking(names: set[str]) -> dict[str, set[str]]:
    """Releases that a name is not in."""
    out = {name: RELEASES - KNOWN.get(name, set()) for name in names}
    return {name: where for name, where in out.items() if where}


def used_of_tensorrt(source: str) -> set[str]:
    return of(source, ("trt", "tensorrt"), TENSORRT)


def used_of_pycuda(source: str) -> set[str]:
    return of(source, ("cuda",), PYCUDA)


def sources() -> str:
    return "\n".join(path.read_text("utf-8") for path in HOMES)


def test_tensorrt_has_it_in_every_release() -> None:
    names = used_of_tensorrt(sources())
    assert {"Runtime", "IExecutionContext.execute_async_v3", "TensorIOMode.INPUT"} <= names
    assert len(names) > 25
    assert "trt_engine.py" in [path.name for path in HOMES]
    assert lacking(names) == {}


def test_pycuda_has_it() -> None:
    names = used_of_pycuda(sources())
    assert {"Stream.synchronize", "Device", "mem_get_info", "memcpy_htod_async"} <= names
    assert "Device.retain_primary_context" in names
    assert "device_attribute.INTEGRATED" in names
    assert names - PYCUDA_NAMES == set()


def test_names_that_are_not_everywhere_are_found() -> None:
    source = """
trt.BuilderFlag.INT8
self._engine.device_memory_size
context.execute_async_v2(1)
tensorrt.Nothing
"""
    assert lacking(used_of_tensorrt(source)) == {
        "BuilderFlag.INT8": {"11.4"},
        "ICudaEngine.device_memory_size": {"11.4"},
        "IExecutionContext.execute_async_v2": RELEASES,
        "Nothing": RELEASES,
    }
    source = (
        "room.cuda.mem_alloc_async(1)\nself._stream.begin_capture()\nroom.stream.wait_for_event"
    )
    assert used_of_pycuda(source) - PYCUDA_NAMES == {"mem_alloc_async", "Stream.begin_capture"}


def test_the_fake_offers_nothing_the_real_ones_do_not() -> None:
    assert set(members(tensorrt(Card()), TENSORRT_OWN)) - KNOWN.keys() == set()
    assert set(members(pycuda_driver(Card()), PYCUDA_OWN)) - PYCUDA_NAMES == set()


# Attributes by which the fakes keep their state.
TENSORRT_OWN = {"sizes", "compute"}
PYCUDA_OWN: set[str] = set()


def members(names: dict[str, Any], own: set[str]) -> Iterator[str]:
    for name, thing in names.items():
        if name.startswith("__"):
            continue
        yield name
        if isinstance(thing, type) and issubclass(thing, Enum):
            yield from (f"{name}.{it}" for it in thing.__members__)
        elif isinstance(thing, type):
            for member in vars(thing).keys() - own:
                if not member.startswith("_"):
                    yield f"{name}.{member}"


@pytest.mark.parametrize("path", HOMES, ids=lambda path: path.name)
def test_pycuda_makes_no_context_by_itself(path: Path) -> None:
    """pycuda.autoinit makes a second context, on whatever thread imports it."""
    assert "autoinit" not in path.read_text("utf-8")
