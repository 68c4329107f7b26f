"""When an utterance will be heard: predicted, and then as it came."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sambertd_client import Client, Utterance
from sambertd_client.protocol import Priority, Sink

from daemon.config import SpeakerConfig
from daemon.outlook import Outlook
from daemon.pace import Pace
from daemon.precedence import first_on_air
from daemon.scheduler import Scheduler
from daemon.stream import Stream, Whose, Wish
from tests.daemon.live import LiveDaemon
from tests.daemon.quiet_card import QuietCard
from tests.daemon.tone import SLOW

RATE = 100
PIECE_S, TURN_S = 0.4, 0.04  # of speech, and of the engine for that
PIECE = (bytes(int(2 * RATE * PIECE_S)),)
RING_S, LATENCY_S = 4.0, 0.1
PLACES, SPARE = 3, 2
LONG = 10_000

Asked = tuple[int, Sink, int, Priority]  # client, sink, pieces, priority


class Box:
    """A daemon with a clock of its own: engine, speaker, and clients that take what they get."""

    def __init__(self) -> None:
        self.scheduler = Scheduler(PLACES, 100, 1e9)
        self.scheduler.spare = SPARE
        self.now = 0.0
        self.pieces: dict[Stream, int] = {}  # still to be made
        self.on_air: Stream | None = None
        self.began = self.free_at = 0.0
        pace = Pace()
        pace.char_s, pace.factor, pace.first_s = PIECE_S, TURN_S / PIECE_S, TURN_S
        self.outlook = Outlook(pace, PLACES, SPARE, LATENCY_S)

    def say(self, asked: Asked) -> Stream:
        client, sink, pieces, priority = asked
        wish = Wish(priority, chars=pieces)
        name = str(len(self.pieces))
        stream = self.scheduler.admit(bytes([client]), name, sink, RATE, 1000, self.now, wish)
        self.pieces[stream] = pieces
        return stream

    def predicted(self, stream: Stream) -> float | None:
        return self.outlook.start_s(stream, self.scheduler)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.step()

    def step(self) -> None:
        """A turn of the engine, if anybody wants one."""
        stream = self.scheduler.next_turn()
        if stream is None:
            self.now += TURN_S
        elif self.pieces[stream]:
            self.now += TURN_S
            self.pieces[stream] -= 1
            self.scheduler.spoke(stream, PIECE, 0, TURN_S)
        else:
            self.scheduler.exhausted(stream, 0.0)
        for one in self.scheduler:
            while not one.plays and self.scheduler.offer(one, self.now) is not None:
                one.credit = 1000
                self.scheduler.sent(one, self.now)
        self._play()
        self.scheduler.take_finished()

    def _play(self) -> None:
        if self.on_air is not None and (self.on_air.ended or self.on_air.paused):
            self.on_air.on_air, self.on_air = False, None
        if self.on_air is None and self.now >= self.free_at:
            one = first_on_air(s for s in self.scheduler if not s.paused)
            if one is None or not one.outbox:
                return
            self.on_air, self.began = one, self.now
            one.on_air = True
        one = self.on_air
        if one is None:
            return
        played = self.now - self.began - LATENCY_S
        one.heard = max(0, min(one.samples, int(RATE * played)))
        while one.outbox and one.samples / RATE < played + LATENCY_S + RING_S:
            self.scheduler.taken(one, self.now)
        if one.made and not one.outbox and one.heard >= one.samples:
            one.on_air, self.on_air = False, None
            self.scheduler.played(one)

    def real(self, stream: Stream) -> float:
        """Seconds until its first audio."""
        since = self.now
        while stream.first_audio is None and not stream.ended:
            self.step()
            assert self.now < since + LONG
        return self.now - since


_SINKS: st.SearchStrategy[Sink] = st.sampled_from(["client", "speaker", "none"])
_PRIORITIES: st.SearchStrategy[Priority] = st.sampled_from(["important", "message", "progress"])
_ASKED = st.tuples(st.integers(1, 4), _SINKS, st.integers(1, 30), _PRIORITIES)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(_ASKED, max_size=8), st.integers(0, 40), _ASKED)
def test_what_comes_is_what_was_predicted(before: list[Asked], steps: int, newcomer: Asked) -> None:
    box = Box()
    for asked in before:
        box.say(asked)
    for _ in range(steps):
        box.step()
    stream = box.say(newcomer)
    predicted, real = box.predicted(stream), box.real(stream)
    assert predicted is not None
    slack = 0.5 + TURN_S * len(before)
    assert predicted <= 2 * real + slack
    assert real <= 2 * predicted + slack


@pytest.mark.parametrize("sink", ["client", "speaker"])
def test_nobody_knows(sink: Sink) -> None:
    box = Box()
    empty = box.say((1, sink, 0, "message"))
    box.scheduler.starve(empty)
    assert box.predicted(empty) is None, "it has no text yet"
    held = box.say((1, sink, 5, "message"))
    box.scheduler.pause(Whose(), held.id, box.now)
    assert box.predicted(held) is None, "it is paused"
    box.scheduler.resume(Whose(), held.id)
    assert box.predicted(held) is not None


def test_a_text_that_is_not_complete_may_be_of_any_length() -> None:
    box = Box()
    endless = box.say((1, "speaker", 5, "message"))
    endless.open = True
    box.run(1.0)
    behind = box.say((1, "speaker", 5, "message"))
    assert box.predicted(behind) is None
    assert box.predicted(box.say((1, "client", 5, "message"))) is not None, "a place is free"
    assert box.predicted(box.say((1, "speaker", 5, "important"))) is not None, "it goes first"


def test_what_is_paused_holds_nobody_up() -> None:
    box = Box()
    held = box.say((1, "speaker", 50, "message"))
    box.run(1.0)
    box.scheduler.pause(Whose(), held.id, box.now)
    stream = box.say((1, "speaker", 5, "message"))
    predicted = box.predicted(stream)
    assert predicted == pytest.approx(box.real(stream), abs=0.3)
    assert predicted is not None
    assert predicted < 1


def test_silence_that_wakes_an_amplifier_counts() -> None:
    box = Box()
    stream = box.say((1, "speaker", 5, "message"))
    sleeping = Outlook(box.outlook.pace, PLACES, SPARE, LATENCY_S, wake_s=0.8)
    assert sleeping.start_s(stream, box.scheduler) == 0.8
    assert sleeping.start_s(box.say((1, "client", 5, "message")), box.scheduler) != 0.8


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(_ASKED, max_size=6), st.integers(0, 30), st.integers(1, 30))
def test_more_before_it_on_the_speaker_is_never_sooner(
    before: list[Asked], steps: int, pieces: int
) -> None:
    times = []
    for more in (0, pieces):
        box = Box()
        for asked in before:
            box.say(asked)
        for _ in range(steps):
            box.step()
        if more:
            box.say((5, "speaker", more, "message"))
        times.append(box.predicted(box.say((6, "speaker", 3, "message"))))
    assert times[0] is not None
    assert times[1] is not None
    assert 0 <= times[0] < times[1]


@pytest.fixture
def client(quiet_card: QuietCard, start_daemon: Callable[..., LiveDaemon]) -> Iterator[Client]:
    with Client(start_daemon(SpeakerConfig()).endpoint) as client:
        yield client


def as_predicted(utterance: Utterance) -> bool:
    """Within a factor of 2, or 0.5 s on a busy machine."""
    done = utterance.wait()
    assert done.ttfa_ms is not None
    assert utterance.start_s is not None
    real, predicted = done.ttfa_ms / 1000, utterance.start_s
    return abs(real - predicted) < 0.5 or real / 2 <= predicted <= 2 * real


def test_a_real_daemon_keeps_its_word_on_the_speaker(client: Client) -> None:
    for _ in range(10):
        client.say("好" * 20, sink="none").wait()  # it learns how fast this voice speaks
    assert as_predicted(client.say("好", sink="speaker"))
    queue = [client.say("好" * 16, sink="speaker") for _ in range(5)]  # 0.8 s each
    assert queue[-1].start_s == pytest.approx(3.2, rel=0.25)
    assert all(as_predicted(one) for one in queue)
    held = client.say("好" * 60, sink="speaker")
    client.pause(held.id)
    assert as_predicted(client.say("好", sink="speaker"))
    client.resume(held.id)
    assert as_predicted(client.say("好", sink="speaker"))


def test_a_real_daemon_keeps_its_word_to_clients(client: Client) -> None:
    for _ in range(8):
        client.say(SLOW * 4, sink="none").wait()
    queue = [client.say(SLOW * 10, sink="none") for _ in range(6)]  # 0.5 s of the engine each
    while client.status().in_work < 4:
        time.sleep(0.01)
    with Client(client.endpoint) as other:
        guest = other.say(SLOW * 10, sink="none")
        assert guest.start_s is not None
        assert guest.start_s < 1.0
    behind = client.say(SLOW, sink="none")
    assert behind.start_s is not None
    assert behind.start_s > 1.0
    assert all(as_predicted(one) for one in (*queue, behind))
