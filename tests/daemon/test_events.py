"""What the daemon tells of what happens: numbered, and dropped for who does not read."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
from sambertd_client import Client, NoDaemonError, RefusedError, SpeechError, cli
from sambertd_client import protocol as wire

from daemon import scheduler
from daemon.config import SpeakerConfig
from daemon.events import MOST_OF_OWNER, MOST_SUBSCRIBERS, Events
from daemon.stats import Stats
from daemon.stream import Stream
from daemon.transport import Delivery
from tests.daemon.live import Connect, LiveDaemon
from tests.daemon.quiet_card import QuietCard
from tests.daemon.tone import CHUNK


@pytest.fixture
def live(quiet_card: QuietCard, start_daemon: Callable[..., LiveDaemon]) -> LiveDaemon:
    return start_daemon(SpeakerConfig())


@pytest.fixture
def client(live: LiveDaemon) -> Iterator[Client]:
    with Client(live.endpoint) as client:
        yield client


def test_the_life_of_utterances_is_told_in_order(client: Client, live: LiveDaemon) -> None:
    with Client(live.endpoint) as watcher, watcher.subscribe() as events:
        spoken = client.say("好" * 4, sink="speaker")
        spoken.wait()
        client.say("好" * 2).read()
        long = client.say("好" * 60, sink="speaker", priority="text")
        long.pause()
        long.resume()
        long.cancel()
        seen: list[wire.Event] = []
        while len(seen) < 11 and (event := events.next(5.0)) is not None:
            seen.append(event)
    assert [event.seq for event in seen] == list(range(len(seen)))
    assert [event.at_s for event in seen] == sorted(event.at_s for event in seen)
    kinds = [event.kind for event in seen if event.utterance == spoken.id]
    assert kinds == ["accepted", "started", "done"]
    kinds = [event.kind for event in seen if event.utterance == long.id and event.kind != "started"]
    assert kinds == ["accepted", "paused", "resumed", "done"]
    assert (seen[2].why, seen[2].heard_samples) == ("end", 4 * CHUNK)
    assert (seen[-1].why, seen[-1].priority, seen[-1].sink) == ("cancelled", "text", "speaker")


def test_only_the_kinds_asked_for_and_none_after_the_end(client: Client, live: LiveDaemon) -> None:
    with Client(live.endpoint) as watcher:
        with watcher.subscribe("done") as events:
            client.say("好").read()
            with pytest.raises(SpeechError):
                client.say("😀").read()
            first, second = events.next(5), events.next(5)
        assert first is not None
        assert second is not None
        assert (first.kind, first.why, second.why, second.code) == (
            "done",
            "end",
            "error",
            "text_empty",
        )
        client.say("好").read()
        assert watcher.stats().subscribers == 0


def test_a_reader_that_sleeps_loses_events_and_sees_the_gap(
    client: Client, live: LiveDaemon, raw_client: Connect
) -> None:
    sleeper = raw_client(live.endpoint, rcvhwm=1)
    assert sleeper.ask("subscribe", id="s")["t"] == "subscribed"
    began, sent = time.monotonic(), 0
    while client.stats().events_dropped == 0:
        client.say("好").read()
        sent += 1
        assert time.monotonic() - began < 60, f"{sent} utterances were told of"
    assert client.status().state == "ready"
    numbers = []
    while not sleeper.silent(0.5):
        numbers.append(sleeper.receive()[0]["seq"])
    client.say("好").read()
    numbers.append(sleeper.receive()[0]["seq"])
    assert numbers == sorted(set(numbers))
    assert numbers[-1] > len(numbers) - 1, "some are missing"


def test_a_subscriber_that_goes_is_forgotten(client: Client, live: LiveDaemon) -> None:
    with Client(live.endpoint) as watcher:
        watcher.subscribe()
        assert client.stats().subscribers == 1
    deadline = time.monotonic() + 10
    while client.stats().subscribers:
        client.say("好").read()
        assert time.monotonic() < deadline


def test_subscribing_again_goes_on_and_the_number_is_bounded() -> None:
    class Post:
        def send(self, client: bytes, frames: list[bytes], /) -> Delivery:
            return Delivery.SENT

    events = Events(Post())
    for number in range(MOST_SUBSCRIBERS):
        owner = "user x" if number < MOST_OF_OWNER else "user y"
        events.subscribe(bytes([number]), wire.Subscribe(id="s"), owner)
        if number == MOST_OF_OWNER - 1:
            with pytest.raises(scheduler.RefusedError, match="16 of user x") as caught:
                events.subscribe(b"one more", wire.Subscribe(id="s"), "user x")
    with pytest.raises(scheduler.RefusedError) as caught:
        events.subscribe(b"one more", wire.Subscribe(id="s"), "user z")
    assert caught.value.code == "busy"
    events.tell("state", "ready")
    assert events.subscribe(b"\0", wire.Subscribe(id="s", kinds=["done"]), "user x").next_seq == 1
    assert events.subscribe(b"\0", wire.Subscribe(id="t"), "user x").next_seq == 0
    events.unsubscribe(b"\0")
    events.unsubscribe(b"\0")
    assert len(events) == MOST_SUBSCRIBERS - 1


def test_stats_count_by_what_was_asked_and_how_it_ended(client: Client) -> None:
    client.say("好" * 3, priority="important").read()
    client.say("好", sink="none").wait()
    with pytest.raises(RefusedError):
        client.say("")
    with pytest.raises(SpeechError):
        client.say("😀").read()
    report = client.stats()
    assert (report.requests, report.ends) == (4, {"end": 2, "error": 1})
    assert report.codes == {"text_empty": 2}
    assert report.priorities == {"important": 1, "message": 2}
    assert report.sinks == {"client": 2, "none": 1}
    assert report.ttfa_ms.count == 2
    assert report.ttfa_ms.p50 is not None
    assert report.audio_s == pytest.approx(4 * CHUNK / 16000)
    assert report.memory_bytes > 1 << 20


def test_percentiles() -> None:
    stats = Stats()
    assert stats.percentiles().p50 is None
    for number in range(1, 1201):
        stats.count("end", None, Stream(b"", "1", "none", 16000, 0, 0.0), 1.0, float(number))
    found = stats.percentiles()
    assert (found.count, found.p50, found.p90, found.p99) == (1000, 701.0, 1101.0, 1191.0)
    assert stats.ttfa_ms_p50() == 1150.5


def test_a_restarted_daemon_goes_on_telling(start_daemon: Callable[..., LiveDaemon]) -> None:
    first = start_daemon()
    with Client(first.endpoint, timeout=60) as watcher:
        everything = iter(watcher.subscribe())
        with Client(first.endpoint) as client, client.subscribe("done") as ends:
            client.say("好").read()
            assert [next(everything).kind for _ in range(3)] == ["accepted", "started", "done"]
            assert ends.next(20) is not None
            assert first.stop() == 0
            assert next(everything).text == "stopping"
            start_daemon()
            began = time.monotonic()
            event = next(everything)
            assert (event.seq, event.kind, event.text) == (-1, "state", "restarted")
            assert time.monotonic() - began < 30, "long before the client's timeout"
            while watcher.stats().subscribers < 2:
                assert ends.next(0.1) is None
            client.say("好").read()
            assert [next(everything).seq for _ in range(3)] == [0, 1, 2]
            done = ends.next(20)
            assert done is not None
            assert (done.kind, done.seq) == ("done", 0), "and nothing that was not asked for"


def test_a_newer_subscription_takes_the_place_of_the_older(live: LiveDaemon) -> None:
    with Client(live.endpoint) as watcher, Client(live.endpoint) as client:
        older, newer = watcher.subscribe("done"), watcher.subscribe("accepted")
        with pytest.raises(NoDaemonError, match="a client has one at a time") as ended:
            older.next(5)
        assert ended.value.code == "closed"
        older.close()
        client.say("好").read()
        event = newer.next(5)
        assert event is not None
        assert (event.kind, event.seq) == ("accepted", 0)
        newer.close()
        with pytest.raises(NoDaemonError, match="subscribe again"):
            newer.next(5)
        assert watcher.stats().subscribers == 0


def test_a_connection_that_was_lost_is_told(live: LiveDaemon) -> None:
    with Client(live.endpoint) as watcher, Client(live.endpoint) as client:
        happening = iter(watcher.subscribe("accepted", "state"))
        client.say("好").read()
        assert next(happening).seq == 0
        watcher._socket.disconnect(watcher.endpoint)
        watcher._socket.connect(watcher.endpoint)
        event = next(happening)
        assert (event.seq, event.text) == (-1, "connected again")
        client.say("好").read()
        assert next(happening).seq == 0


def test_who_watches_a_daemon_that_is_gone_is_told(start_daemon: Callable[..., LiveDaemon]) -> None:
    daemon = start_daemon()
    with Client(daemon.endpoint, timeout=0.2) as watcher:
        happening = watcher.subscribe("done")
        assert happening.next(1.5) is None, "a daemon that has nothing to tell is not gone"
        daemon.stop()
        with pytest.raises(NoDaemonError, match="start the daemon with `sambertd`"):
            happening.next(60)


def test_the_command_line(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    client.say("好好").read()
    assert cli.main(["stats", "--endpoint", client.endpoint]) == 0
    said = capsys.readouterr().out
    assert "ended: 1 end\n" in said
    assert "first audio of the last 1: p50" in said
    assert cli.main(["stats", "--endpoint", client.endpoint, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ends"] == {"end": 1}
    with pytest.raises(SystemExit, match="2"):
        cli.main(["events", "nonsense", "--endpoint", client.endpoint])
    assert "'nonsense' is no kind of event" in capsys.readouterr().err


def test_the_command_line_follows_events(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    spoken = client.say("好" * 30, sink="speaker")
    arguments = ["events", "done", "--count", "1", "--endpoint", client.endpoint]
    assert cli.main(arguments) == 0
    line = capsys.readouterr().out
    assert line.split()[1:] == ["done", spoken.id, "message", "to", "speaker", "end"]
    spoken.wait()
