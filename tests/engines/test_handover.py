"""The queue between decoder and vocoder: in order, bounded, and over as soon as it is stopped."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.handover import POLL_S, Handover


@settings(max_examples=30, deadline=None)
@given(size=st.integers(1, 5), count=st.integers(0, 200), ahead=st.integers(0, 4) | st.none())
def test_all_arrives_in_order(size: int, count: int, ahead: int | None) -> None:
    items: Handover[int] = Handover(size, lambda: False)

    def write() -> None:
        for n in range(count):
            items.put(n, None if ahead is None else min(ahead, size - 1))
        items.put(None)

    with ThreadPoolExecutor(1) as thread:
        writing = thread.submit(write)
        assert list(iter(items.get, None)) == list(range(count))
        writing.result()


def test_a_writer_waits_for_room_until_stopped() -> None:
    stop = threading.Event()
    items: Handover[int] = Handover(2, stop.is_set)
    items.put(1)
    assert not items.full
    items.put(2)
    assert items.full
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(items.put, 3)
        large = threads.submit(items.put, 4, 0)
        time.sleep(2 * POLL_S)
        assert not waiting.done()
        assert items.get() == 1
        waiting.result(5)
        assert not large.done()
        stop.set()
        large.result(5)
    assert items.get() is None


def test_a_reader_waits_for_an_item_until_stopped() -> None:
    stop = threading.Event()
    items: Handover[int] = Handover(2, stop.is_set)
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(items.get)
        time.sleep(2 * POLL_S)
        assert not reading.done()
        items.put(1)
        assert reading.result(5) == 1
        reading = thread.submit(items.get)
        stop.set()
        assert reading.result(5) is None
