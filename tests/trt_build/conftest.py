from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from trt_build import rtx

REQUIRED = "SAMBERTD_TENSORRT"  # set to 1, a missing TensorRT-RTX is a failure


@pytest.fixture(scope="session")
def trt() -> Any:
    """TensorRT-RTX, if it is there."""
    folder = rtx.default_folder()
    if not rtx.is_fetched(folder) and os.environ.get(REQUIRED) != "1":
        pytest.skip(f"NOT CHECKED WITH TENSORRT: not in {folder}; `make check-trt` fetches it")
    return rtx.load(folder)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Small tensors on a busy machine: more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
