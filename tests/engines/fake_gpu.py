"""A GPU that is none: the parts of pycuda, TensorRT and libcuda that the engines use, on numpy.

A plan is an ONNX file with its profile before it, and runs on ONNX Runtime: what comes out is real.
The rest keeps the rules of the real thing and notes in `Card.faults` whoever breaks them: one
thread, work that happens only when the stream is waited for, no allocation while recording, no
recording of what never ran, no change under a recording, nothing freed that is still in use.
"""

from __future__ import annotations

import ctypes
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engines.libcuda import SIGNATURES
from engines.quiet_ort import ort

Work = Callable[[], None]
MAGIC = b"FAKEPLAN"
MIB = 1024 * 1024
SCRATCH = 4096  # bytes, unless the plan says otherwise


@dataclass
class Card:
    """The card's state, and what happened to it."""

    total: int = 512 * MIB
    owner: int = 0  # the thread that entered
    current: int = 0  # contexts pushed
    retained: int = 0
    blocks: dict[int, np.ndarray[Any, Any]] = field(default_factory=dict)
    pinned: list[np.ndarray[Any, Any]] = field(default_factory=list)
    queue: list[Work] = field(default_factory=list)
    recording: list[Work] | None = None
    spoilt: bool = False  # the recording, by what must not be in it
    graphs: dict[int, list[Work]] = field(default_factory=dict)
    executables: dict[int, list[Work]] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    launches: int = 0
    enqueued: int = 0
    next_handle: int = 0x1000
    fails: dict[str, Any] = field(default_factory=dict)  # what shall fail, by name of the call

    @property
    def used(self) -> int:
        return sum(len(block) for block in self.blocks.values())

    def at(self, what: str, *, quiet: bool = False) -> None:
        """Something is done: in the right thread, and with a context?"""
        if threading.get_ident() != self.owner:
            self.faults.append(f"{what} in another thread")
        if self.current < 1:
            self.faults.append(f"{what} without a context")
        if not quiet:
            self.events.append(what)

    def handle(self) -> int:
        self.next_handle += 0x100000
        return self.next_handle

    def put(self, work: Work) -> None:
        (self.queue if self.recording is None else self.recording).append(work)

    def find(self, address: int, size: int) -> np.ndarray[Any, Any]:
        for start, block in self.blocks.items():
            if start <= address and address + size <= start + len(block):
                return block[address - start : address - start + size]
        self.faults.append(f"illegal address {address:#x}")
        return np.zeros(size, np.uint8)

    def unrecorded(self, what: str) -> None:
        """Something that must not happen while recording."""
        if self.recording is not None:
            self.spoilt = True
            self.faults.append(f"{what} while recording")


def pycuda_driver(card: Card) -> dict[str, Any]:
    """The names of pycuda.driver."""

    class Error(Exception):
        pass

    class MemoryError(Error):  # its real name
        pass

    class LogicError(Error):
        pass

    class device_attribute:  # noqa: N801  # as above
        INTEGRATED = 18

    class Context:
        def push(self) -> None:
            card.owner, card.current = threading.get_ident(), card.current + 1
            card.events.append("push")

        def pop(self) -> None:
            card.at("pop")
            card.current -= 1

        def detach(self) -> None:
            card.retained -= 1
            card.events.append("detach")

    class Device:
        def __init__(self, index: int) -> None:
            if index:
                raise LogicError("cuDeviceGet failed: invalid device ordinal")

        def get_attribute(self, attribute: int) -> int:
            return int(card.fails.get("integrated", 0))

        def retain_primary_context(self) -> Context:
            card.retained += 1
            return Context()

    class Stream:
        def __init__(self, flags: int = 0) -> None:
            assert flags == 1
            if "stream" in card.fails:
                raise LogicError("cuStreamCreate failed")
            card.at("stream")
            self.handle = card.handle()

        def synchronize(self) -> None:
            card.at("wait", quiet=True)
            card.unrecorded("wait")
            queue, card.queue[:] = list(card.queue), []
            for work in queue:
                work()
            if "synchronize" in card.fails:
                raise LogicError("cuStreamSynchronize failed: an illegal memory access")

        def __del__(self) -> None:
            if hasattr(self, "handle"):
                card.at("destroy stream")

    class DeviceAllocation:
        def __init__(self, size: int) -> None:
            self.address, self.size = card.handle() & ~0xFF, size
            card.blocks[self.address] = np.full(size, 0xA5, np.uint8)

        def __int__(self) -> int:
            return self.address

        def free(self) -> None:
            card.unrecorded("free")
            card.at("free device")
            if card.queue:
                card.faults.append("freed under work")
            card.blocks.pop(self.address, None)

        def __del__(self) -> None:
            if self.address in card.blocks:
                self.free()

    class HostAllocation:
        def __init__(self, size: int) -> None:
            self.memory: np.ndarray[Any, Any] | None = np.full(size, 0x5A, np.uint8)
            self.__array_interface__ = self.memory.__array_interface__
            card.pinned.append(self.memory)

        def free(self) -> None:
            card.at("free pinned")
            card.pinned[:] = [it for it in card.pinned if it is not self.memory]
            self.memory = None

    def mem_alloc(size: int) -> DeviceAllocation:
        card.unrecorded("mem_alloc")
        card.at("mem_alloc", quiet=True)
        if card.used + size > card.total or card.fails.get("mem_alloc", 1 << 60) <= size:
            raise MemoryError("cuMemAlloc failed: out of memory")
        return DeviceAllocation(size)

    def pagelocked_empty(shape: int, dtype: Any) -> np.ndarray[Any, Any]:
        card.at("pagelocked_empty", quiet=True)
        assert dtype == np.uint8
        if "pagelocked_empty" in card.fails:
            raise MemoryError("cuMemHostAlloc failed: out of memory")
        return np.asarray(HostAllocation(shape))

    def pinned(host: np.ndarray[Any, Any]) -> None:
        if not any(np.shares_memory(host, block) for block in card.pinned):
            card.faults.append("a copy of memory that is not pinned")

    def memcpy_htod_async(dest: int, src: np.ndarray[Any, Any], stream: Stream) -> None:
        card.at("copy in", quiet=True)
        pinned(src)

        def work() -> None:
            card.find(dest, src.nbytes)[:] = src.reshape(-1).view(np.uint8)

        card.put(work)

    def memcpy_dtoh_async(dest: np.ndarray[Any, Any], src: int, stream: Stream) -> None:
        card.at("copy out", quiet=True)
        pinned(dest)

        def work() -> None:
            dest.reshape(-1).view(np.uint8)[:] = card.find(src, dest.nbytes)

        card.put(work)

    def mem_get_info() -> tuple[int, int]:
        card.at("mem_get_info", quiet=True)
        return card.total - card.used, card.total

    def init() -> None:
        if "init" in card.fails:
            raise LogicError("cuInit failed: no CUDA-capable device is detected")

    return {name: value for name, value in locals().items() if name not in ("card", "pinned")}


def libcuda(card: Card) -> Any:
    """The driver's functions, as ctypes finds them."""

    def begin(stream: int, mode: int) -> int:
        assert mode == 1
        if "begin" in card.fails:
            return int(card.fails["begin"])
        card.at("begin")
        card.recording, card.spoilt = [], False
        return 0

    def end(stream: int, graph: Any) -> int:
        card.at("end")
        recorded, card.recording = card.recording, None
        if recorded is None or card.spoilt or "end" in card.fails:
            return 901  # CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
        handle = card.handle()
        card.graphs[handle] = recorded
        graph[0] = handle
        return 0

    def instantiate(executable: Any, graph: int, flags: int) -> int:
        if "instantiate" in card.fails:
            return 2
        handle = card.handle()
        card.executables[handle] = card.graphs[graph]
        executable[0] = handle
        return 0

    def launch(executable: int, stream: int) -> int:
        card.at("launch", quiet=True)
        if "launch" in card.fails:
            return 700
        card.launches += 1
        card.queue += card.executables[executable]
        return 0

    def destroy_executable(executable: int) -> int:
        card.at("destroy graph")
        del card.executables[executable]
        return 0

    def destroy(graph: int) -> int:
        del card.graphs[graph]
        return 0

    def error_name(code: int, name: Any) -> int:
        name[0] = {2: b"CUDA_ERROR_OUT_OF_MEMORY", 100: b"CUDA_ERROR_NO_DEVICE"}.get(code, b"OTHER")
        return 0

    functions: dict[str, Callable[..., int]] = {
        "cuStreamBeginCapture_v2": begin,
        "cuStreamEndCapture": end,
        "cuGraphInstantiateWithFlags": instantiate,
        "cuGraphLaunch": launch,
        "cuGraphExecDestroy": destroy_executable,
        "cuGraphDestroy": destroy,
        "cuGetErrorName": error_name,
    }
    return library(functions)


def library(functions: dict[str, Callable[..., int]]) -> Any:
    """Python functions behind real foreign calls, which put types and pointers to the test."""

    class Library:
        pass

    made = Library()
    for name, function in functions.items():
        setattr(made, name, ctypes.CFUNCTYPE(ctypes.c_int, *SIGNATURES[name])(function))
    return made


def plan(model: bytes, *profiles: dict[str, Any], scratch: int = SCRATCH) -> bytes:
    """A plan the fake TensorRT takes."""
    head = json.dumps({"profiles": profiles, "scratch": scratch}).encode()
    return MAGIC + len(head).to_bytes(4, "little") + head + model


def open_plan(data: bytes) -> tuple[dict[str, Any], ort.InferenceSession]:
    size = int.from_bytes(data[8:12], "little")
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = 1
    session = ort.InferenceSession(data[12 + size :], settings, ["CPUExecutionProvider"])
    return json.loads(data[12 : 12 + size]), session
