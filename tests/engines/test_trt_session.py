"""Sessions on TensorRT: shapes, recordings, memory, failures (on a fake GPU that computes)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from engines.errors import GpuError, VoiceError
from engines.gpu import Gpu
from engines.session import Array, Session
from engines.standby import Standby
from engines.trt_session import TrtSession
from tests.engines.fake_gpu import MIB, Card, plan
from tests.engines.small_graph import PROFILE, expected, feeds, model

PLAN = plan(model().SerializeToString(), PROFILE)


class Other:
    """A session that counts what it is left to do."""

    state_size = 4

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def run(self, given: Any) -> dict[str, Array]:
        self.sizes.append(given["x"].shape[1])
        return expected(given)


@pytest.fixture
def gpu(card: Card) -> Iterator[Gpu]:
    it = Gpu()
    yield it
    it.close()


def backed(session: TrtSession, other: Other) -> Standby:
    return Standby("the engine of small", session, other)


def frames(*sizes: int) -> list[dict[str, int]]:
    return [{"x": size} for size in sizes]


def check(session: Session, size: int, seed: int = 0) -> dict[str, Array]:
    given = feeds(size, seed)
    out = session.run(given)
    assert out.keys() == {"y", "next_state"}
    for name, value in expected(given).items():
        assert out[name].shape == value.shape
        np.testing.assert_allclose(out[name], value, atol=1e-6)
    return out


def test_it_computes_and_goes_in_order(card: Card, gpu: Gpu) -> None:
    session = TrtSession(gpu, "small", PLAN)
    assert session.state_size == 4
    check(session, 8)
    session.warm_up(frames(4))
    card.events.clear()
    gpu.close()
    gone = [it for it in card.events if it.startswith(("destroy", "free", "pop", "detach"))]
    assert gone == [
        *["destroy graph", "destroy context", "destroy context", "destroy engine"],
        *["destroy runtime", "free device", "free pinned", "free device"],
        *["destroy stream", "pop", "detach"],
    ]


def test_outputs_are_the_callers_own(gpu: Gpu) -> None:
    session = TrtSession(gpu, "small", PLAN)
    first = check(session, 8, 0)
    kept = first["y"].copy()
    check(session, 8, 1)
    np.testing.assert_array_equal(first["y"], kept)


def test_only_shapes_that_change_are_set(
    card: Card, gpu: Gpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = TrtSession(gpu, "small", PLAN)
    told: list[str] = []
    at = card.at

    def spied(what: str, *, quiet: bool = False) -> None:
        told.append(what)
        at(what, quiet=quiet)

    monkeypatch.setattr(card, "at", spied)
    counts = []
    for size in (5, 5, 7, 5):
        told.clear()
        check(session, size)
        counts.append(told.count("shape"))
    assert counts == [2, 0, 1, 1]


@pytest.mark.parametrize("size", [1, 3, 12])
def test_inputs_of_other_kinds_are_cast_or_refused(gpu: Gpu, size: int) -> None:
    session = TrtSession(gpu, "small", PLAN)
    given = feeds(size)
    wide = {name: value.astype(np.float64) for name, value in given.items()}
    np.testing.assert_allclose(session.run(wide)["y"], expected(given)["y"], atol=1e-6)
    # Not one after another in memory.
    turned = {**given, "x": np.asfortranarray(np.repeat(given["x"], 2, 1))[:, ::2]}
    np.testing.assert_allclose(session.run(turned)["y"], expected(given)["y"], atol=1e-6)
    for wrong in ({"x": given["x"]}, {**given, "z": given["x"]}, {**given, "state": np.array("a")}):
        with pytest.raises(VoiceError, match="it takes x float32, state float32") as error:
            session.run(wrong)
        assert error.value.code == "voice_broken"


def test_half_precision_outputs_come_as_float32(gpu: Gpu) -> None:
    data = plan(model(TensorProto.FLOAT16).SerializeToString(), PROFILE)
    given = feeds(6)
    out = TrtSession(gpu, "small", data).run(given)["y"]
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, expected(given)["y"], atol=4e-3)


BUCKETS = [{"x": [[1, n]] * 3, "state": [[1, 4]] * 3} for n in (4, 6, 12)]


def test_buckets_are_profiles_of_one_engine(card: Card, gpu: Gpu) -> None:
    other = Other()
    seen: list[Any] = []
    first = TrtSession(gpu, "small", plan(model().SerializeToString(), *BUCKETS))
    first.warm_up(frames(4, 5, 12), progress=seen.append)
    session = backed(first, other)
    assert [shapes["x"][1] for shapes in seen] == [4, 6, 12, 4, 4, 12, 12]
    assert len(card.executables) == 2
    for seed, size in enumerate([12, 4, 6, 4, 12, 6]):
        check(session, size, seed)
    assert other.sizes == []
    check(session, 5)
    assert other.sizes == [5]


def test_a_profile_that_is_refused(card: Card, gpu: Gpu) -> None:
    card.fails["profiles"] = 2
    with pytest.raises(GpuError, match="refuses its profile 2; build"):
        TrtSession(gpu, "small", plan(model().SerializeToString(), *BUCKETS))


@pytest.mark.parametrize("size", [0, 13, 40])
def test_shapes_it_was_not_built_for_go_elsewhere(card: Card, gpu: Gpu, size: int) -> None:
    other = Other()
    check(backed(TrtSession(gpu, "small", PLAN), other), size)
    assert other.sizes == [size]
    assert card.enqueued == 0


def test_or_are_refused_by_name(gpu: Gpu) -> None:
    session = TrtSession(gpu, "small", PLAN)
    with pytest.raises(GpuError, match=r"x \(1, 13\), built for \(1, 1\) to \(1, 12\)") as error:
        session.run(feeds(13))
    assert error.value.code == "engine_shape"
    check(session, 12)


def test_what_comes_often_is_recorded_and_launched(
    card: Card, gpu: Gpu, caplog: pytest.LogCaptureFixture
) -> None:
    session = TrtSession(gpu, "small", PLAN)
    seen: list[Any] = []
    with caplog.at_level(logging.WARNING):
        session.warm_up(frames(3, 6, 99), progress=seen.append)
    assert [message for message in caplog.messages if "99" in message] == caplog.messages
    assert len(caplog.messages) == 1
    assert [shapes["x"][1] for shapes in seen] == [1, 8, 12, 3, 3, 6, 6]
    assert len(card.executables) == 2
    launched = card.launches
    for seed, size in enumerate([3, 6, 5, 3, 12, 6, 6, 3]):
        check(session, size, seed)
    assert card.launches == launched + 6
    assert card.graphs == {}  # only what is launched is kept


def test_recordings_are_bounded_and_the_oldest_goes(card: Card, gpu: Gpu) -> None:
    session = TrtSession(gpu, "small", PLAN, most_graphs=2)
    session.warm_up(frames(2, 3, 4))
    assert len(card.executables) == 2
    check(session, 3)
    before = card.launches
    check(session, 2)  # 4 goes for it
    assert (len(card.executables), card.launches) == (2, before)
    for size, launched in ((2, 1), (3, 1), (4, 0), (4, 1)):
        before = card.launches
        check(session, size)
        assert card.launches == before + launched
    assert card.events.count("destroy context") == 4  # and the one that was asked for shapes


def test_without_recordings(card: Card, gpu: Gpu) -> None:
    session = TrtSession(gpu, "small", PLAN, most_graphs=0)
    session.warm_up(frames(3))
    check(session, 3)
    assert "begin" not in card.events


@pytest.mark.parametrize("failing", ["begin", "end", "instantiate", "record"])
def test_a_card_that_records_nothing_is_slower_and_says_so_once(
    card: Card, gpu: Gpu, failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    card.fails[failing] = 2
    with caplog.at_level(logging.WARNING):
        session = TrtSession(gpu, "small", PLAN)
        session.warm_up(frames(3, 6))
        for size in (3, 6, 3):
            check(session, size)
    assert len(caplog.messages) == 1
    assert "the engine of small runs without CUDA graphs" in caplog.messages[0]
    assert card.launches == 0
    assert card.recording is None


def test_scratch_is_shared_and_grows_for_the_largest(card: Card, gpu: Gpu) -> None:
    data = model().SerializeToString()
    first = TrtSession(gpu, "first", plan(data, PROFILE, scratch=10_000))
    first.warm_up(frames(3))
    blocks = len(card.blocks)
    second = TrtSession(gpu, "second", plan(data, PROFILE, scratch=5_000))
    assert len(card.blocks) == blocks + 1  # its buffers
    card.events.clear()
    third = TrtSession(gpu, "third", plan(data, PROFILE, scratch=20_000))
    assert sorted(map(len, card.blocks.values()))[-1] == 20_000
    assert 10_000 not in map(len, card.blocks.values())
    assert card.executables == {}  # it knew the old one, and went before it
    assert card.events.index("destroy graph") < card.events.index("free device")
    for session in (first, second, third, first):
        check(session, 3)
        check(session, 7)
    assert len(card.executables) == 1
    assert gpu.memory()["scratch shared by all engines"] == 20_000
    assert first.device_bytes == gpu.memory()["the engine of first"]


def test_closing_gives_back_one_engine(card: Card, gpu: Gpu) -> None:
    kept, gone = TrtSession(gpu, "kept", PLAN), TrtSession(gpu, "gone", PLAN)
    gone.warm_up(frames(3))
    session = backed(gone, Other())
    session.close()
    session.close()
    assert gpu.memory().keys() == {"the engine of kept", "scratch shared by all engines"}
    check(kept, 3)
    check(session, 3)  # by the other
    gpu.close()
    kept.close()


def test_an_engine_that_was_closed_says_so(gpu: Gpu) -> None:
    session = TrtSession(gpu, "small", PLAN)
    session.close()
    with pytest.raises(GpuError, match="was given back; load the voice again") as error:
        session.run(feeds(3))
    assert error.value.code == "gpu_closed"


def test_calls_from_many_threads(gpu: Gpu) -> None:
    session = TrtSession(gpu, "small", PLAN)
    session.warm_up(frames(4))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: check(session, 1 + i % 12, i), range(100)))


def test_a_card_that_is_too_full_is_told_before_anything_is_taken(card: Card, gpu: Gpu) -> None:
    kept = TrtSession(gpu, "kept", PLAN)
    card.total = card.used + 64 * MIB + 100
    with pytest.raises(
        GpuError, match=r"engine of small needs .*weights.*are free.*close"
    ) as error:
        TrtSession(gpu, "small", PLAN)
    assert error.value.code == "gpu_memory"
    assert card.events.count("deserialize") == 1
    check(kept, 5)


@pytest.mark.parametrize(
    ("failing", "value"), [("mem_alloc", 0), ("mem_alloc", 20_000), ("pagelocked_empty", True)]
)
def test_an_allocation_that_fails_all_the_same(
    card: Card, gpu: Gpu, failing: str, value: int
) -> None:
    kept = TrtSession(gpu, "kept", PLAN)
    kept.warm_up(frames(3))
    before = (gpu.memory(), len(card.blocks))
    card.fails[failing] = value
    with pytest.raises(GpuError, match="engine of small finds no place") as error:
        TrtSession(gpu, "small", plan(model().SerializeToString(), PROFILE, scratch=20_000))
    assert error.value.code == "gpu_memory"
    assert (gpu.memory(), len(card.blocks)) == before
    check(kept, 5)
    check(kept, 3)


def test_memory_that_tensorrt_itself_misses(card: Card, gpu: Gpu) -> None:
    card.fails["deserialize"] = True
    with pytest.raises(GpuError, match=r"engine of small finds no place: \[alloc\] no") as error:
        TrtSession(gpu, "small", PLAN)
    assert error.value.code == "gpu_memory"


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "location": ({"location": "HOST"}, "takes or gives x on the processor"),
    "dtype": ({"dtype": "BF16"}, "x of the engine of small is BF16"),
    "sizes": ({"sizes": True}, "gives y of a size nobody knows"),
    "contexts": ({"contexts": 0}, "makes no context for the engine: no more contexts"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_engine_of_no_use_leaves_nothing(card: Card, gpu: Gpu, fault: str) -> None:
    fails, told = FAULTS[fault]
    card.fails.update(fails)
    with pytest.raises(GpuError, match=f"{told}.*build the voice's engines again") as error:
        TrtSession(gpu, "small", PLAN)
    assert error.value.code == "engine_broken"
    assert gpu.memory() == {}
    assert card.events.count("destroy engine") == 1


def test_what_is_no_plan_is_refused_with_tensorrts_words(gpu: Gpu) -> None:
    with pytest.raises(GpuError, match="Serialization assertion failed: magic; build") as error:
        TrtSession(gpu, "small", b"not a plan")
    assert error.value.code == "engine_broken"


@pytest.mark.parametrize(("failing", "first"), [("execute", 5), ("synchronize", 5), ("launch", 4)])
def test_a_card_that_fails_is_left_for_the_other_for_good(
    card: Card, gpu: Gpu, failing: str, first: int, caplog: pytest.LogCaptureFixture
) -> None:
    other = Other()
    first_choice = TrtSession(gpu, "small", PLAN)
    first_choice.warm_up(frames(4))
    session = backed(first_choice, other)
    check(session, 4)
    assert session.lost is None
    card.fails[failing] = True
    with caplog.at_level(logging.WARNING):
        for size in (first, 4, 5):
            check(session, size)
    assert other.sizes == [first, 4, 5]
    assert session.lost is not None
    assert len(caplog.messages) == 1
    card.fails.clear()


CAUSES: dict[str, tuple[str, str, Callable[[TrtSession], Any]]] = {
    "execute": ("engine_broken", "kernel of conv_7", lambda it: it.run(feeds(5))),
    "synchronize": ("gpu_failed", "illegal memory access", lambda it: it.run(feeds(5))),
    "launch": ("gpu_failed", "cuGraphLaunch", lambda it: it.run(feeds(4))),
}


@pytest.mark.parametrize("failing", CAUSES)
def test_without_another_the_caller_is_told(card: Card, gpu: Gpu, failing: str) -> None:
    session = TrtSession(gpu, "small", PLAN)
    session.warm_up(frames(4))
    code, told, run = CAUSES[failing]
    card.fails[failing] = True
    with pytest.raises(GpuError, match=f"the engine of small.*{told}") as error:
        run(session)
    assert error.value.code == code
    card.fails.clear()
    check(session, 4)
