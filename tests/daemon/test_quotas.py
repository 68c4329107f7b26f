"""One user, however many connections it opens, leaves room for the others."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sambertd_client import Client, RefusedError
from sambertd_client import protocol as wire

from daemon.access import Role
from daemon.config import Limits
from daemon.peers import Peer
from daemon.quotas import BURST_S, MOST_OWNERS, Bucket, Quotas
from daemon.refusals import Refusals
from daemon.scheduler import RefusedError as Refused
from tests.daemon.as_user import KIOSK, OTHER, as_user, begin_as_user
from tests.daemon.live import LiveDaemon
from tests.daemon.tone import SLOW

USER, ROOT = Peer("user kiosk", Role.SPEAK), Peer("user root", Role.ADMIN)
HELLO = wire.Hello(id="1")


def say(chars: int) -> wire.Say:
    return wire.Say(id="1", text="好" * chars)


def test_so_many_requests_come_at_once_and_then_by_the_rate() -> None:
    quotas = Quotas(Limits(requests_per_s=10))
    for _ in range(int(10 * BURST_S)):
        quotas.check(HELLO, USER, 100.0)
    with pytest.raises(Refused, match="user kiosk has asked for more than 10 requests") as caught:
        quotas.check(HELLO, USER, 100.0)
    assert caught.value.code == "rate_limited"
    assert caught.value.retry_s == pytest.approx(0.1)
    quotas.check(HELLO, USER, 100.1001)
    with pytest.raises(Refused):
        quotas.check(HELLO, USER, 100.1001)
    quotas.check(HELLO, Peer("user other", Role.SPEAK), 100.1001)
    for free in (wire.Cancel(id="1"), wire.Credit(id="1"), wire.Unsubscribe(id="1")):
        quotas.check(free, USER, 100.1001)


def test_so_many_characters_a_minute() -> None:
    quotas = Quotas(Limits(chars_per_min=600))
    quotas.check(say(500), USER, 0.0)
    quotas.check(wire.Append(id="2", target="1", text="好" * 100), USER, 0.0)
    with pytest.raises(Refused, match=r"600 characters a minute; try again in 10\.0 s"):
        quotas.check(say(100), USER, 0.0)
    with pytest.raises(Refused):
        quotas.check(wire.Append(id="2", target="1", text="好"), USER, 0.0)
    quotas.check(HELLO, USER, 0.0)
    quotas.check(say(100), USER, 10.0)
    with pytest.raises(Refused):
        quotas.check(wire.Prefetch(id="3", texts=["好" * 9] * 70), USER, 10.0)
    quotas.check(say(5000), USER, 70.0)  # more than there can be: as soon as there is all


def test_admins_have_no_limits_and_0_is_none() -> None:
    strict, none = (
        Limits(requests_per_s=1, chars_per_min=1),
        Limits(requests_per_s=0, chars_per_min=0),
    )
    for limits, peer in ((strict, ROOT), (none, USER)):
        quotas = Quotas(limits)
        for _ in range(1000):
            quotas.check(say(100), peer, 0.0)
    assert Quotas(strict).most_live(ROOT) is None
    assert Quotas(strict).most_live(USER) == strict.per_user


def test_a_refusal_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()
    with caplog.at_level(logging.WARNING, "daemon.refusals"):
        for at in (0.0, 1.0, 59.0, 60.0, 61.0):
            refusals.note("user kiosk", "not_allowed", "load is for admins", at)
        refusals.note("user kiosk", "rate_limited", "too much", 61.0)
        refusals.note("user other", "not_allowed", "load is for admins", 61.0)
        refusals.note("user kiosk", "text_empty", "nothing to speak", 61.0)
    assert [record.getMessage().split(" was ")[0] for record in caplog.records] == [
        *("user kiosk", "user kiosk"),
        *("user kiosk", "user other"),
    ]
    assert "load is for admins (not_allowed)" in caplog.records[0].getMessage()
    for number in range(5000):
        refusals.note(f"key {number}", "rate_limited", "too much", 61.0)
    assert len(refusals._seldom) <= 1000


def test_what_is_remembered_is_bounded_and_the_greedy_are_not_forgotten() -> None:
    quotas = Quotas(Limits(requests_per_s=1))
    for _ in range(5):
        quotas.check(HELLO, USER, 0.0)
    for number in range(3 * MOST_OWNERS):
        quotas.check(HELLO, Peer(f"key {number}", Role.READ), 0.0)
    assert len(quotas._owners) <= MOST_OWNERS
    with pytest.raises(Refused):
        quotas.check(HELLO, USER, 0.0)


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 40)), max_size=60))
def test_never_more_than_the_bucket_and_what_came_back(steps: list[tuple[float, int]]) -> None:
    bucket, now, taken = Bucket(10.0, 40.0, 40.0, 0.0), 0.0, 0
    for wait, much in steps:
        now += wait
        wait_s = bucket.wait_s(much, now)
        if wait_s == 0:
            bucket.take(much)
            taken += much
        else:
            assert bucket.wait_s(much, now + wait_s + 1e-6) == 0
            now += wait_s + 1e-6
        assert taken <= 40 + 10 * now + 1e-6


def test_many_connections_of_one_user_do_not_take_all_places(
    start_daemon: Callable[..., LiveDaemon],
) -> None:
    daemon = start_daemon(in_work=2, waiting=6, per_user=5, stall_s=60)
    greedy = (
        "(lambda them: [sum(refused(lambda: kept.append(one.say('慢' * 20))) is None"
        " for one in them),"
        " refused(lambda: them[-1].say('好')), print('full', flush=True), sys.stdin.read()])"
        "([Client(endpoint) for _ in range(40)])[:2]"
    )
    process = begin_as_user(daemon, KIOSK, greedy)
    assert process.stdout is not None
    assert process.stdout.readline() == "full\n"
    refusal = as_user(daemon, KIOSK, "refused(lambda: client.say('好'))")
    assert refusal[0] == "busy"
    assert refusal[1].startswith(f"5 utterances of user {KIOSK} are live")
    assert as_user(daemon, OTHER, "len(client.say('好好').read())") == 3200
    with Client(daemon.endpoint) as root:
        assert root.status().in_work + root.status().waiting == 5
        assert len(root.say("好好").read()) == 3200
    as_user(daemon, KIOSK, "client.cancel(scope='user').ids")
    words = process.communicate("", timeout=60)[0]
    assert words.startswith('[5, ["busy", "5 utterances of user')


def test_one_connection_after_another_is_the_same_user(
    start_daemon: Callable[..., LiveDaemon],
) -> None:
    daemon = start_daemon(requests_per_s=2)
    flood = "[refused(lambda: anew(Client.hello)) for _ in range(30)]"
    refusals = [one for one in as_user(daemon, KIOSK, flood) if one]
    assert len(refusals) >= 15
    assert {code for code, _ in refusals} == {"rate_limited"}
    assert as_user(daemon, OTHER, "client.hello().limits.requests_per_s") == 2


def test_who_is_told_to_wait_can(start_daemon: Callable[..., LiveDaemon]) -> None:
    daemon = start_daemon(chars_per_min=600)
    as_user(daemon, KIOSK, "client.say('好' * 600, sink='none').id")
    assert as_user(daemon, KIOSK, "refused(lambda: client.say('好' * 10))")[0] == "rate_limited"
    assert as_user(daemon, KIOSK, "len(client.say('好' * 10, retry_s=20).read())") == 16000


def test_root_is_not_held_up(start_daemon: Callable[..., LiveDaemon]) -> None:
    daemon = start_daemon(requests_per_s=1, chars_per_min=1, per_user=1)
    with Client(daemon.endpoint) as root:
        live = [root.say(SLOW * 100, credit=1) for _ in range(3)]
        for one in live:
            one.cancel()
        for _ in range(50):
            root.hello()


def test_a_refusal_for_a_while_tells_how_long(start_daemon: Callable[..., LiveDaemon]) -> None:
    daemon = start_daemon(in_work=1, waiting=0)
    with Client(daemon.endpoint) as client:
        speech = client.say(SLOW * 100, credit=1)
        with pytest.raises(RefusedError) as caught:
            client.say("好")
        assert (caught.value.code, caught.value.retry_s) == ("busy", 0.5)
        speech.cancel()
