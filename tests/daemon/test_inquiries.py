"""What the loop is asked by other threads: one answer for all who wait, none for who has gone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from daemon.inquiries import Inquiries


def test_all_who_wait_get_one_answer() -> None:
    asked, made = threading.Semaphore(0), []
    inquiries: Inquiries[int] = Inquiries(asked.release)

    def make() -> int:
        made.append(1)
        return 7

    with ThreadPoolExecutor(3) as threads:
        asking = [threads.submit(inquiries.ask, 30) for _ in range(3)]
        for _ in asking:
            asked.acquire()
        inquiries.answer(make)
        assert [one.result(30) for one in asking] == [7, 7, 7]
    inquiries.answer(make)
    assert made == [1], "nobody asks any more"


def test_a_loop_that_comes_back_late_answers_nobody() -> None:
    inquiries: Inquiries[int] = Inquiries(lambda: None)
    with pytest.raises(TimeoutError, match=r"no answer within 0\.01 s"):
        inquiries.ask(0.01)
    inquiries.answer(lambda: pytest.fail("it was asked though all have gone"))
