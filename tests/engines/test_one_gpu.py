"""One GPU for the whole process: entered late, shared, and given back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from engines.errors import GpuError
from engines.gpu_memory import MIB
from engines.one_gpu import OneGpu
from engines.trt_session import TrtSession
from tests.engines.fake_gpu import Card, plan
from tests.engines.small_graph import PROFILE, model


def test_it_is_entered_once_and_only_when_asked_for(card: Card) -> None:
    gpu = OneGpu()
    assert (card.retained, gpu.held) == (0, 0)
    with ThreadPoolExecutor(8) as pool:
        entered = set(pool.map(lambda _: gpu(), range(32)))
    assert len(entered) == 1
    assert card.retained == 1
    gpu.close()
    gpu.close()
    with pytest.raises(GpuError, match="given back") as error:
        gpu()
    assert error.value.code == "gpu_closed"


def test_what_is_held_is_known_without_waiting(card: Card) -> None:
    gpu = OneGpu()
    session = TrtSession(gpu(), "small", plan(model().SerializeToString(), PROFILE))
    assert gpu.held == sum(gpu().memory().values())
    assert gpu.held > session.device_bytes, "scratch is held too"
    session.close()
    assert gpu.held < session.device_bytes + 4097
    gpu.close()
    assert gpu.held == 0


def test_its_limit_is_for_all_engines(card: Card) -> None:
    gpu = OneGpu(limit_mb=1)
    assert gpu.limit == MIB
    with pytest.raises(GpuError, match=r"sambertd may use 1\.0 MiB"):
        TrtSession(gpu(), "small", plan(model().SerializeToString(), PROFILE, scratch=2 * MIB))
    gpu.close()


def test_where_it_cannot_be_entered_it_is_tried_again(card: Card) -> None:
    card.fails["init"] = True
    gpu = OneGpu()
    with pytest.raises(GpuError, match="no CUDA-capable device") as error:
        gpu()
    assert error.value.code == "gpu_missing"
    assert gpu.held == 0
    card.fails.clear()
    assert gpu() is gpu()
    gpu.close()
