"""The GPU's thread: everything in it, nothing of it left, whatever fails (on a fake GPU)."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engines.errors import GpuError
from engines.gpu import Gpu
from engines.gpu_memory import Budget, available
from engines.gpu_room import Room
from tests.engines.fake_gpu import MIB, Card


def test_it_enters_and_leaves_in_order(card: Card) -> None:
    Gpu().close()
    assert card.events == ["push", "stream", "destroy stream", "pop", "detach"]


def test_closing_twice_is_closing_once(card: Card) -> None:
    gpu = Gpu()
    gpu.close()
    gpu.close()
    with pytest.raises(GpuError, match="load the voice again") as error:
        gpu.call(lambda room: None)
    assert error.value.code == "gpu_closed"
    assert card.events.count("pop") == 1


def test_all_work_is_done_by_one_thread_in_turn(card: Card) -> None:
    gpu = Gpu()
    with ThreadPoolExecutor(8) as pool:
        seen = set(pool.map(lambda _: gpu.call(lambda room: threading.get_ident()), range(50)))
    gpu.close()
    assert seen == {card.owner}
    assert threading.get_ident() not in seen


def test_what_was_handed_in_before_closing_is_done(card: Card) -> None:
    gpu, start = Gpu(), threading.Event()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(gpu.call, lambda room: start.wait(10))
        last = pool.submit(gpu.call, lambda room: "done")
        while gpu._jobs.qsize() < 1:
            pass
        closed = pool.submit(gpu.close)
        start.set()
        assert first.result(10)
        assert last.result(10) == "done"
        closed.result(10)


def test_an_error_is_the_callers_and_keeps_nothing_of_the_gpu(card: Card) -> None:
    gpu = Gpu()

    def work(room: Room) -> None:
        held = room.cuda.mem_alloc(1000)
        try:
            raise ValueError(f"with {int(held):#x}")
        except ValueError as error:
            raise RuntimeError("of which another came") from error

    with pytest.raises(RuntimeError, match="of which another came"):
        gpu.call(work)  # the fake notes a free by this thread
    assert "free device" in card.events
    assert gpu.call(lambda room: 1) == 1
    gpu.close()


def test_the_result_of_a_call_does_not_wait_for_the_next(card: Card) -> None:
    gpu = Gpu()
    gone = threading.Event()

    class Held:
        def __del__(self) -> None:
            gone.set()

    def use(held: Held) -> Callable[[Room], bool]:
        return lambda room: held is None

    gpu.call(use(Held()))
    assert gone.wait(5)
    gpu.close()


@pytest.mark.parametrize(("failing", "pushed"), [("init", 0), ("stream", 1)])
def test_a_card_that_cannot_be_entered_is_left(card: Card, failing: str, pushed: int) -> None:
    card.fails[failing] = True
    with pytest.raises(GpuError, match=r"GPU 0 cannot be used: .*failed") as error:
        Gpu()
    assert error.value.code == "gpu_missing"
    assert card.events.count("push") == card.events.count("pop") == pushed


def test_a_card_that_is_not_there(card: Card) -> None:
    with pytest.raises(GpuError, match=r"GPU 3 cannot be used: .*sambertctl doctor --gpu"):
        Gpu(3)


def test_without_pycuda_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    with pytest.raises(GpuError, match="pycuda cannot be loaded") as error:
        Gpu()
    assert error.value.code == "gpu_not_installed"


def test_a_runtime_that_does_not_start(card: Card) -> None:
    card.fails["runtime"] = True
    gpu = Gpu()
    with pytest.raises(GpuError, match="the runtime: TensorRT cannot start") as error:
        gpu.call(lambda room: room.runtime and None)
    assert error.value.code == "engine_broken"
    gpu.close()


FORGETFUL = """
import sys, types
from engines import gpu, gpu_room
from engines.libcuda import Driver
from tests.engines.fake_gpu import Card, libcuda, pycuda_driver
card = Card()
module = types.ModuleType("pycuda.driver")
module.__dict__.update(pycuda_driver(card))
sys.modules["pycuda"] = package = types.ModuleType("pycuda")
package.driver = sys.modules["pycuda.driver"] = module
gpu_room.Driver = lambda: Driver(libcuda(card))
import atexit
atexit.register(lambda: print(card.events, card.faults))
held = gpu.Gpu()
"""


def test_who_forgets_to_close_is_helped_at_the_end() -> None:
    done = subprocess.run([sys.executable, "-c", FORGETFUL], capture_output=True, text=True)
    assert done.stderr == ""
    assert "'pop', 'detach'] []" in done.stdout


def test_a_budget_says_what_is_needed_what_is_there_and_what_to_do() -> None:
    budget = Budget(lambda: 100 * MIB, spare=32 * MIB)
    budget.check("the engine of vocoder", {"weights": 68 * MIB})
    with pytest.raises(GpuError) as error:
        budget.check("the engine of vocoder", {"weights": 60 * MIB, "buffers": 9 * MIB})
    assert error.value.code == "gpu_memory"
    assert str(error.value).startswith(
        "the engine of vocoder needs 69.0 MiB of the GPU's memory (weights 60.0 MiB, buffers "
        "9.0 MiB); 100.0 MiB are free, of which 32.0 MiB are left to others; close other programs"
    )


def test_a_limit_counts_what_is_taken() -> None:
    budget = Budget(lambda: 1000 * MIB, limit=50 * MIB)
    budget.take("a", 30 * MIB)
    budget.check("b", {"weights": 20 * MIB})
    with pytest.raises(GpuError, match=r"may use 50\.0 MiB and has 30\.0 MiB in use"):
        budget.check("b", {"weights": 21 * MIB})
    budget.take("a", -30 * MIB)
    assert budget.taken == {}
    budget.check("b", {"weights": 50 * MIB})


def test_a_gpu_in_the_processors_memory_may_have_what_is_cached(card: Card) -> None:
    card.fails["integrated"], card.total = 1, 1 * MIB
    gpu = Gpu()
    gpu.call(lambda room: room.budget.check("x", {"weights": 10 * MIB}))
    gpu.close()


def test_available_memory_is_read_or_unknown(tmp_path: Path) -> None:
    assert available() > 0
    assert available(tmp_path / "none") == 0
