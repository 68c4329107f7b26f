"""Kernels that TensorRT has timed before, kept for the next build of this version on this GPU.

A build that finds its kernels there takes seconds where it took a minute (onnxruntime#14767: 34.6
to 7.7 s, 108 to 9.4 s). It is no more than a help: whatever is wrong with it, the build goes on.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from engines.store import write_atomically


def cache_file(folder: Path, version: str, device: str) -> Path:
    """Where the cache of a TensorRT version and a GPU lies."""
    return folder / (re.sub(r"[^\w.]+", "-", f"timing-{version}-{device}") + ".cache")


def attach(config: Any, path: Path) -> bool:
    """Give a builder config the cache of a file; whether there was one TensorRT took.

    One of another version or GPU is refused there, and the build starts with an empty one.
    """
    try:
        kept = path.read_bytes()
    except OSError:
        kept = b""
    with _deprecated_in_rtx():
        taken = bool(kept) and _set(config, kept)
        if not taken:
            _set(config, b"")
    return taken


def save(config: Any, path: Path) -> None:
    """Write what the config's cache holds now; where that fails there is none next time."""
    with _deprecated_in_rtx():
        cache = config.get_timing_cache()
        data = bytes(cache.serialize()) if cache is not None else b""
    if data:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)


def _set(config: Any, data: bytes) -> bool:
    try:
        cache = config.create_timing_cache(data)
        return cache is not None and bool(config.set_timing_cache(cache, ignore_mismatch=False))
    except (TypeError, RuntimeError):  # TensorRT gave no cache for these bytes
        return False


@contextmanager
def _deprecated_in_rtx() -> Iterator[None]:
    """TensorRT-RTX has these calls and says with each that they do nothing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*TensorRT-RTX", DeprecationWarning)
        yield
