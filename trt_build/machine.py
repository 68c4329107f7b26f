"""Facts of a machine for a report, each with the words a reader needs; none of them personal."""

from __future__ import annotations

import os
import platform
import stat
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from engines.device import Device
from engines.gpu_memory import MIB

NODES = ("/dev/nvidia*", "/dev/nvhost-*gpu", "/dev/nvmap")  # the last two on a Jetson
TOLD_BY = ("/proc/driver/nvidia/version", "/etc/nv_tegra_release", "/proc/device-tree/model")
Fact = tuple[str, str]


def facts(device: Device) -> list[Fact]:
    """Name and value of all that is worth telling."""
    return [
        ("sambertd", _version("sambertd")),
        ("Python", f"{platform.python_version()} on {platform.platform()}"),
        ("processors", str(os.cpu_count())),
        ("numpy", _version("numpy")),
        ("ONNX Runtime", f"{device.onnxruntime or 'none'}, {', '.join(device.providers)}"),
        ("TensorRT", device.tensorrt or "none"),
        ("pycuda", device.pycuda or "none"),
        ("GPU", _gpu(device)),
        *((path, text) for path in TOLD_BY if (text := _first_line(Path(path)))),
        *nodes(path for pattern in NODES for path in sorted(Path("/").glob(pattern[1:]))),
        ("for TensorRT", device.why or "all there"),
    ]


def nodes(paths: Iterable[Path]) -> Iterator[Fact]:
    """Whether this user may open the files of the driver."""
    found = False
    for path in paths:
        found = True
        mode = path.stat()
        may = os.access(path, os.R_OK | os.W_OK) or stat.S_ISDIR(mode.st_mode)
        told = f"{stat.filemode(mode.st_mode)} user {mode.st_uid} group {mode.st_gid}"
        cure = "open to this user" if may else f"CLOSED to this user: {_group(mode.st_gid)}"
        yield str(path), f"{told}, {cure}"
    if not found:
        yield "/dev/nvidia*", "none: no driver is loaded, or the container was given no GPU"


def _group(number: int) -> str:
    return f"add it to group {number} (`sudo usermod -aG`, then log in again)"


def _gpu(device: Device) -> str:
    if not device.gpu:
        return "none"
    kind = "shared with the processor" if device.integrated else "of its own"
    memory = f"{device.memory // MIB:,} MiB {kind}"
    return f"{device.gpu}, compute capability {device.sm}, {memory}, CUDA {device.driver}"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def _first_line(path: Path) -> str:
    try:
        lines = path.read_text("utf-8", "replace").strip("\0\n ").splitlines()
    except OSError:
        return ""
    return lines[0] if lines else ""
