"""Recording on a stream, through real foreign calls into a driver that is none."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engines.cuda_graph import CudaGraph
from engines.libcuda import NOT_THERE, SIGNATURES, Driver, DriverError
from tests.engines.fake_gpu import library

STREAM = 0x7F00_1234_5678  # pointers are wider than an int
GRAPH, EXECUTABLE = 0x7F00_0000_1000, 0x7F00_0000_2000


class Calls:
    """A driver that notes its calls, and fails where told to."""

    def __init__(self, **codes: int) -> None:
        self.seen: list[tuple[Any, ...]] = []
        self._codes = codes
        names: dict[str, Callable[..., int]] = {
            "cuStreamBeginCapture_v2": lambda *args: self.note("begin", *args),
            "cuStreamEndCapture": lambda stream, out: self.give("end", out, GRAPH, stream),
            "cuGraphInstantiateWithFlags": lambda out, graph, flags: self.give(
                "instantiate", out, EXECUTABLE, graph, flags
            ),
            "cuGraphLaunch": lambda *args: self.note("launch", *args),
            "cuGraphExecDestroy": lambda *args: self.note("destroy executable", *args),
            "cuGraphDestroy": lambda *args: self.note("destroy", *args),
            "cuGetErrorName": self.name,
        }
        self.driver = Driver(library(names))

    def note(self, what: str, *args: Any) -> int:
        self.seen.append((what, *args))
        return self._codes.get(what, 0)

    def give(self, what: str, out: Any, value: int, *args: Any) -> int:
        code = self.note(what, *args)
        out[0] = None if code else value
        return code

    @staticmethod
    def name(code: int, out: Any) -> int:
        out[0] = b"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED" if code == 901 else None
        return 0


def test_what_is_recorded_can_be_launched_and_is_given_back_once() -> None:
    calls = Calls()
    graph = CudaGraph.capture(calls.driver, STREAM, lambda: calls.seen.append(("work",)))
    graph.launch(STREAM)
    graph.launch(STREAM)
    graph.close()
    graph.close()
    assert calls.seen == [
        ("begin", STREAM, 1),
        ("work",),
        ("end", STREAM),
        ("instantiate", GRAPH, 0),
        ("destroy", GRAPH),
        ("launch", EXECUTABLE, STREAM),
        ("launch", EXECUTABLE, STREAM),
        ("destroy executable", EXECUTABLE),
    ]


def test_an_error_within_ends_the_recording_all_the_same() -> None:
    calls = Calls()

    def work() -> None:
        raise ValueError("no kernel")

    with pytest.raises(ValueError, match="no kernel"):
        CudaGraph.capture(calls.driver, STREAM, work)
    assert [name for name, *_ in calls.seen] == ["begin", "end", "destroy"]


@pytest.mark.parametrize(
    ("failing", "seen"),
    [
        ("begin", ["begin"]),
        ("end", ["begin", "end"]),
        ("instantiate", ["begin", "end", "instantiate", "destroy"]),
    ],
)
def test_a_driver_that_refuses_leaves_nothing(failing: str, seen: list[str]) -> None:
    calls = Calls(**{failing: 901})
    with pytest.raises(DriverError, match=r"cu\w+: CUDA_ERROR_STREAM_CAPTURE_INVALIDATED \(901\)"):
        CudaGraph.capture(calls.driver, STREAM, lambda: None)
    assert [name for name, *_ in calls.seen] == seen


def test_an_error_without_a_name() -> None:
    calls = Calls(begin=7)
    with pytest.raises(DriverError, match=r"unknown error \(7\)") as error:
        CudaGraph.capture(calls.driver, STREAM, lambda: None)
    assert error.value.code == 7


def test_a_driver_that_is_too_old() -> None:
    driver = Driver(library({}))
    with pytest.raises(DriverError, match="too old") as error:
        CudaGraph.capture(driver, STREAM, lambda: None)
    assert error.value.code == NOT_THERE


def test_without_a_driver() -> None:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        with pytest.raises(OSError, match="libcuda"):
            Driver()


def test_signatures_are_as_wide_as_those_of_cuda_h() -> None:
    """Where NVIDIA's header is installed."""
    header = Path("/usr/local/cuda/include/cuda.h")
    if not header.is_file():
        pytest.skip(f"{header} is not there")
    text = header.read_text("utf-8", "replace")
    for name, types in SIGNATURES.items():
        plain = re.sub("_v2$|WithFlags$", "", name)
        match = re.search(rf"CUresult CUDAAPI {plain}(?:WithFlags)?\(([^)]*)\);", text)
        assert match, name
        parameters = match[1].split(",")
        assert len(parameters) == len(types), name
        for parameter, kind in zip(parameters, types, strict=True):
            assert width(parameter) == ctypes.sizeof(kind), f"{name}: {parameter}"


def width(parameter: str) -> int:
    """Bytes of a parameter of cuda.h on 64 bits."""
    handles = ("CUstream", "CUgraph", "CUgraphExec")
    words = parameter.replace("*", " * ").split()
    if "*" in words or words[0] in handles:
        return 8
    return 8 if "long" in words else 4
