"""Priorities as clients meet them: real sockets, and a card that plays in real time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from sambertd_client import Client, RefusedError, Utterance, cli

from daemon.config import SpeakerConfig
from tests.daemon.live import LiveDaemon
from tests.daemon.quiet_card import QuietCard
from tests.daemon.tone import CHUNK, SLOW

LONG = "好" * 60  # 3 s


@pytest.fixture
def speaking(quiet_card: QuietCard, start_daemon: Callable[..., LiveDaemon]) -> LiveDaemon:
    return start_daemon(SpeakerConfig())


@pytest.fixture
def client(speaking: LiveDaemon) -> Iterator[Client]:
    with Client(speaking.endpoint) as client:
        yield client


def until_playing(utterance: Utterance) -> None:
    while utterance.ttfa_ms is None:
        list(utterance._take())


def test_a_warning_cuts_in_and_tells_how_far_the_other_came(client: Client) -> None:
    long = client.say(LONG, sink="speaker")
    until_playing(long)
    time.sleep(0.5)
    warning = client.say("停", sink="speaker", priority="important")
    done = long.wait()
    assert (done.why, warning.wait().why) == ("superseded", "end")
    assert done.heard_samples is not None
    assert 0.3 * 16000 < done.heard_samples < 1.5 * 16000
    assert client.status().superseded == 1


def test_what_is_heard_to_the_end_was_heard_whole(client: Client) -> None:
    done = client.say("好好", sink="speaker").wait()
    assert (done.why, done.heard_samples) == ("end", 2 * CHUNK)
    assert client.say("好好").wait().heard_samples is None, "only its client knows"


def test_a_newer_text_takes_the_place_of_an_older(client: Client, speaking: LiveDaemon) -> None:
    with Client(speaking.endpoint) as other:
        old = client.say(LONG, sink="speaker", priority="text")
        new = other.say("好", sink="speaker", priority="text")
        assert (old.wait().why, new.wait().why) == ("superseded", "end")


def test_a_notification_that_comes_at_a_bad_time_is_accepted_and_not_said(client: Client) -> None:
    message = client.say("好" * 10, sink="speaker")
    hint = client.say("好", sink="speaker", priority="notification")
    done = hint.wait()
    assert (done.why, done.heard_samples, done.samples) == ("superseded", None, 0)
    assert message.wait().why == "end"


def test_position_and_start_count_what_goes_before(client: Client) -> None:
    client.say("好" * 20, sink="speaker").wait()  # it learns how fast this voice speaks
    first = client.say(LONG, sink="speaker")
    until_playing(first)
    second = client.say("好", sink="speaker")
    urgent = client.say("好", sink="client", priority="important")
    assert (first.position, second.position, urgent.position) == (0, 1, 0)
    assert first.start_s is not None
    assert second.start_s is not None
    assert first.start_s < 0.5 < 2.0 < second.start_s < 12.0
    client.cancel()


def test_replace_and_drop(client: Client) -> None:
    first = client.say(LONG, sink="speaker")
    with pytest.raises(RefusedError) as caught:
        client.say("好", sink="speaker", queue="drop")
    assert caught.value.code == "busy"
    second = client.say("好", sink="speaker", queue="replace")
    assert (first.wait().why, second.wait().why) == ("superseded", "end")
    assert client.say("好", sink="speaker", queue="drop").wait().why == "end"


def test_cancel_by_priority(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    message = client.say(SLOW * 60, sink="speaker")
    text = client.say(SLOW * 60, sink="speaker", priority="text")
    assert client.cancel(priority="text").ids == [text.id]
    arguments = ["cancel", "--endpoint", client.endpoint]
    assert cli.main([*arguments, "--priority", "progress"]) == 0
    assert cli.main([*arguments, "--priority", "message"]) == 0
    assert capsys.readouterr().out == (
        f"cancelled 0: nothing was being said\ncancelled 1: {message.id}\n"
    )
    assert (message.wait().why, text.wait().why) == ("cancelled", "cancelled")


def test_the_command_line_tells_that_it_gave_way(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    message = client.say("好" * 20, sink="speaker")
    arguments = ["say", "好", "--endpoint", client.endpoint, "--priority", "notification"]
    assert cli.main(arguments) == 5
    assert "it gave way to another utterance" in capsys.readouterr().out
    assert message.wait().why == "end"


def test_a_client_has_its_own_limit(start_daemon: Callable[..., LiveDaemon]) -> None:
    endpoint = start_daemon(per_client=2).endpoint
    with Client(endpoint) as one, Client(endpoint) as two:
        assert one.hello().limits.per_client == 2
        assert "priority" in one.hello().capabilities
        for _ in range(2):
            one.say("好" * 30)
        with pytest.raises(RefusedError, match="of this client") as caught:
            one.say("好")
        assert caught.value.code == "busy"
        assert two.say("好").wait().why == "end"
        one.cancel()
