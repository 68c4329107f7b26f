"""Held, and gone on with: nothing is lost, and at most half a second is heard again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sambertd_client import Client, Utterance, cli
from sambertd_client import protocol as wire

from daemon.config import SpeakerConfig
from daemon.heard import LONGEST_WORD_S, REWIND_S, Heard, fade_in, quietest
from daemon.pcm import pcm_s16le
from daemon.scheduler import Scheduler
from daemon.stream import Piece, Stream, Whose, Word
from engines.marks import SpeechMark
from tests.daemon.live import LiveDaemon
from tests.daemon.quiet_card import QuietCard
from tests.daemon.tone import CHUNK, tone

RATE = 16000


@pytest.fixture
def client(quiet_card: QuietCard, start_daemon: Callable[..., LiveDaemon]) -> Iterator[Client]:
    with Client(start_daemon(SpeakerConfig(), pause_s=3.0).endpoint) as client:
        yield client


def until_playing(utterance: Utterance) -> None:
    while utterance.ttfa_ms is None:
        list(utterance._take())


def until_told(utterance: Utterance, replies: list[wire.Reply], kind: type[wire.Message]) -> None:
    """The last of `playing` and `held` is of this kind."""

    def last() -> type[wire.Message] | None:
        kinds = [type(one) for one in replies if isinstance(one, (wire.Playing, wire.Held))]
        return kinds[-1] if kinds else None

    while last() is not kind:
        list(utterance._take())


def sounds(card: QuietCard) -> int:
    """Samples of the tone, which is never zero twice in a row."""
    pcm = np.frombuffer(bytes(card.heard), "<i2")
    return int(np.count_nonzero((pcm != 0) | (np.roll(pcm, 1) != 0)))


def settled(card: QuietCard) -> int:
    """`sounds`, once the card has got no more for a while: a busy machine is late with the fade."""
    before, now = -1, sounds(card)
    while now != before:
        time.sleep(0.2)
        before, now = now, sounds(card)
    return now


def test_the_speaker_goes_on_where_it_was_held(client: Client, quiet_card: QuietCard) -> None:
    spoken = client.say("好" * 40, sink="speaker")  # 2 s
    until_playing(spoken)
    time.sleep(0.7)
    spoken.pause()
    held = settled(quiet_card)
    time.sleep(0.5)
    assert sounds(quiet_card) == held, "it is silent"
    assert client.status().paused == 1
    assert client.say("好", sink="speaker").wait().why == "end", "others are heard meanwhile"
    spoken.resume()
    done = spoken.wait()
    assert (done.why, done.samples, done.heard_samples) == ("end", 40 * CHUNK, 40 * CHUNK)
    again = sounds(quiet_card) - 41 * CHUNK
    assert -0.02 * RATE < again < CHUNK + 0.06 * RATE, "a word, what fades, and what the card holds"
    assert 0.3 * RATE < held < 1.8 * RATE


def test_it_goes_on_at_the_beginning_of_the_word_that_was_cut(
    client: Client, quiet_card: QuietCard
) -> None:
    """Each character of the tone is a word: what sounds again is the tone from such a one on."""
    replies: list[wire.Reply] = []
    spoken = client.say("好" * 40, sink="speaker")
    spoken.on_reply = replies.append
    until_playing(spoken)
    time.sleep(0.62)
    spoken.pause()
    time.sleep(0.3)
    cut = len(quiet_card.heard) // 2
    spoken.resume()
    assert spoken.wait().samples == 40 * CHUNK
    first, again = (reply for reply in replies if isinstance(reply, wire.Playing))
    assert (first.at, again.ttfa_ms) == (0, first.ttfa_ms)
    assert 0 < again.at < 40 * CHUNK
    assert again.at % CHUNK == 0
    said = np.frombuffer(pcm_s16le(np.concatenate([tone(n) for n in range(40)])), "<i2")
    heard = np.frombuffer(bytes(quiet_card.heard), "<i2")[cut:]
    start = int(np.flatnonzero(heard)[0])
    rest = said[again.at :]
    places = [
        place
        for place in range(start - 64, start + 1)
        if np.array_equal(heard[place + 128 : place + len(rest)], rest[128:])
    ]
    assert len(places) == 1, "sample by sample, but for the 8 ms that fade in"


def test_a_client_gets_nothing_while_it_is_paused(client: Client) -> None:
    spoken = client.say("好" * 60, credit=4)
    assert client.pause(spoken.id).ids == [spoken.id]
    assert client.pause().ids == []
    got = b""
    while client._pump(time.monotonic() + 0.2):
        pass
    while client._line.inboxes[spoken.id]:
        got += client._line.inboxes[spoken.id].popleft()[1]
    assert len(got) <= 4 * 2 * CHUNK
    assert client.resume(spoken.id).ids == [spoken.id]
    assert client.resume(spoken.id).ids == []
    for _ in range(4):
        client._line.send(wire.Credit(id=spoken.id))
    assert len(got + spoken.read()) == 60 * 2 * CHUNK


def test_its_owner_is_told_that_another_client_holds_it(client: Client) -> None:
    replies: list[wire.Reply] = []
    spoken = client.say("好" * 40, sink="speaker", marks=["word"])
    spoken.on_reply = replies.append
    until_playing(spoken)
    with Client(client.endpoint) as other:
        for _ in range(2):
            until_told(spoken, replies, wire.Playing)
            time.sleep(0.4)
            assert other.pause(spoken.id, scope="all").ids == [spoken.id]
            until_told(spoken, replies, wire.Held)
            assert other.pause(spoken.id, scope="all").ids == [], "it is told once"
            other.resume(spoken.id, scope="all")
        assert spoken.wait().why == "end"
    told = [one for one in replies if isinstance(one, (wire.Playing, wire.Held))]
    assert [type(one) for one in told] == [wire.Playing, wire.Held] * (len(told) // 2) + [
        wire.Playing
    ]
    pauses = [n for n, one in enumerate(told) if isinstance(one, wire.Held) and one.why == "paused"]
    assert len(pauses) == 2
    for number in pauses:
        playing, held, again = (one.at for one in told[number - 1 : number + 2])
        assert playing < held < 40 * CHUNK
        assert again <= held <= again + CHUNK + 0.2 * RATE, "the word, and what the card held"
    assert [mark.at for mark in spoken.marks] == [n * CHUNK for n in range(40)], "all are kept"


def test_what_waits_or_goes_to_a_client_is_told_too(client: Client) -> None:
    held: dict[str, list[int]] = {"waits": [], "streams": []}
    with Client(client.endpoint) as other:
        client.say("好" * 20, sink="speaker")
        waits = client.say("好" * 3, sink="speaker")
        streams = client.say("慢" * 10)
        first = next(iter(streams))
        for name, one in (("waits", waits), ("streams", streams)):
            one.on_reply = lambda reply, name=name: (
                held[name].append(reply.at) if isinstance(reply, wire.Held) else None
            )
        other.pause(scope="all")
        time.sleep(0.1)
        other.resume(scope="all")
        rest = streams.read()
        assert waits.wait().why == "end"
    assert len(first + rest) == 2 * 10 * CHUNK
    assert held["waits"] == [0]
    assert len(held["streams"]) == 1


def test_who_takes_it_over_is_told_that_it_is_held(client: Client) -> None:
    replies: list[wire.Reply] = []
    first = client.say("好" * 40, sink="speaker", key="k")
    until_playing(first)
    client.pause(first.id)
    with Client(client.endpoint) as other:
        again = other.say("好" * 40, sink="speaker", key="k")
        again.on_reply = replies.append
        until_told(again, replies, wire.Held)
        other.resume(again.id)
        assert again.wait().why == "end"
    assert [type(one) for one in replies[:2]] == [wire.Held, wire.Playing]


def test_paused_for_too_long_is_cancelled(client: Client) -> None:
    spoken = client.say("好" * 60, sink="speaker")
    spoken.pause()
    began = time.monotonic()
    assert spoken.wait().why == "cancelled"
    assert 2.5 < time.monotonic() - began < 6


def test_cancel_while_paused_and_the_command_line(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    spoken = client.say("好" * 60, sink="speaker")
    for command in ("pause", "pause", "resume", "pause", "cancel"):
        assert cli.main([command, "--endpoint", client.endpoint]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"paused 1: {spoken.id}",
        "paused 0: nothing was being said",
        f"resumed 1: {spoken.id}",
        f"paused 1: {spoken.id}",
        f"cancelled 1: {spoken.id}",
    ]
    assert spoken.wait().why == "cancelled"


def test_a_pause_is_no_stall_and_holds_no_place_before_its_start() -> None:
    scheduler = Scheduler(1, 3, stall_s=5.0, pause_s=50.0)
    first = scheduler.admit(b"c", "1", "client", RATE, 0, 0.0)
    second = scheduler.admit(b"c", "2", "client", RATE, 0, 0.0)
    scheduler.pause(Whose(b"c"), "1", 0.0)
    assert scheduler.next_turn() is second
    scheduler.spoke(second, (bytes(4),), 0, 0.1)
    scheduler.offer(second, 1.0)
    scheduler.pause(Whose(b"c"), "2", 2.0)
    scheduler.expire(49.0)
    assert [*scheduler] == [first, second]
    scheduler.expire(51.0)
    assert [*scheduler] == [second]


def test_a_pause_is_no_lack_of_text() -> None:
    """Who pauses a text in pieces has its whole patience again when it goes on."""
    scheduler = Scheduler(1, 3, stall_s=5.0, append_s=10.0, pause_s=500.0)
    stream = scheduler.admit(b"c", "1", "speaker", RATE, 0, 0.0)
    scheduler.starve(stream)
    scheduler.expire(1.0)
    scheduler.pause(Whose(b"c"), "1", 8.0)
    scheduler.expire(100.0)
    scheduler.resume(Whose(b"c"), "1")
    scheduler.expire(109.0)
    scheduler.expire(118.0)
    assert [*scheduler] == [stream]
    scheduler.expire(119.0)
    assert [finish.code for finish in scheduler.take_finished()] == ["text_stalled"]


def test_the_quietest_moment_is_found() -> None:
    sound = np.full(RATE, 9000, "<i2")
    assert quietest(sound.tobytes(), RATE) == RATE - 320, "all alike: the last"
    sound[12000:12640] = 0
    assert 12000 <= quietest(sound.tobytes(), RATE) <= 12640 - 320
    sound[2000:4000] = 0
    assert quietest(sound.tobytes(), RATE) > RATE - REWIND_S * RATE, "that is too far back"
    assert quietest(b"", RATE) == 0


def test_a_fade_starts_at_nothing() -> None:
    faded = np.frombuffer(fade_in(np.full(400, 10000, "<i2").tobytes(), RATE), "<i2")
    assert abs(int(faded[0])) < 10
    assert (np.diff(faded[:128]) >= 0).all()
    assert (faded[128:] == 10000).all()


@given(
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=20), at_s=st.floats(0, 5, width=32)
)
def test_what_was_not_heard_is_put_back_in_order(sizes: list[int], at_s: float) -> None:
    stream = Stream(b"c", "1", "speaker", RATE, 0, 0.0)
    sound = np.arange(sum(sizes), dtype="<i2")
    heard, latency_s = Heard(stream, 0.1), 0.1
    heard.started(0.0)
    for start, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
        piece = Piece(sound[start : start + size].tobytes(), 0)
        heard.wrote(piece, 0.0)
        stream.samples += size
        stream.seq += 1
    counted = heard.count(at_s)
    assert counted == min(len(sound), max(0, int((at_s - latency_s) * RATE)))
    heard.take_back(at_s)
    left = np.frombuffer(b"".join(piece.pcm for piece in stream.outbox), "<i2")
    if counted == len(sound):
        assert len(left) == 0
        return
    assert counted - REWIND_S * RATE <= stream.samples <= counted
    assert len(left) == len(sound) - stream.samples
    np.testing.assert_array_equal(left[128:], sound[stream.samples :][128:])


@given(at_s=st.floats(0.15, 2.4), gap=st.integers(0, 1500), long=st.booleans())
def test_no_word_is_cut_in_two(at_s: float, gap: int, long: bool) -> None:
    """Held in a word it goes on at its beginning; between two, there; else at a quiet moment."""
    words, at = [], 100
    while at < 40000:
        words.append(Word(at, at + (39000 if long else 4000)))
        at = words[-1].end + gap
    stream = Stream(b"c", "1", "speaker", RATE, 0, 0.0, words=deque(words))
    heard, sound = Heard(stream, 0.1), np.arange(40000, dtype="<i2")
    heard.started(0.0)
    for start in range(0, 40000, 800):
        now = min(at_s, start / RATE)
        heard.wrote(Piece(sound[start : start + 800].tobytes(), 0), now)
        stream.samples += 800
    counted = heard.count(at_s)
    heard.take_back(at_s)
    inside = [word for word in words if word.start <= counted < word.end]
    if not inside:
        assert stream.samples == counted
    elif counted - inside[0].start <= LONGEST_WORD_S * RATE:
        assert stream.samples == inside[0].start
    else:
        assert counted - REWIND_S * RATE <= stream.samples <= counted
    left = np.frombuffer(b"".join(piece.pcm for piece in stream.outbox), "<i2")
    np.testing.assert_array_equal(left[128:], sound[stream.samples :][128:])


def test_words_that_were_heard_are_forgotten() -> None:
    stream = Stream(b"c", "1", "speaker", RATE, 0, 0.0)
    heard = Heard(stream, 0.0)
    heard.started(0.0)
    for number in range(2000):
        stream.know([SpeechMark("word", number * 1600, number * 1600 + 1500, "好", 0)])
        heard.wrote(Piece(bytes(3200), 0), number / 10)
        stream.samples += 1600
    assert len(stream.words) < 30


def test_a_ring_that_runs_dry_stops_the_clock() -> None:
    stream = Stream(b"c", "1", "speaker", RATE, 0, 0.0)
    heard = Heard(stream, 0.0)
    heard.wrote(Piece(bytes(2 * RATE), 0), 0.0)
    stream.samples = RATE
    heard.started(0.0)
    assert heard.count(5.0) == RATE
    heard.took(RATE, 10.0)
    heard.wrote(Piece(bytes(2 * RATE), 0), 10.0)
    stream.samples = 2 * RATE
    assert heard.count(10.5) == RATE + RATE // 2


@given(outage_s=st.floats(0, 20), latency_s=st.sampled_from([0.0, 0.05, 0.3]))
def test_a_card_that_is_away_stops_the_clock(outage_s: float, latency_s: float) -> None:
    stream = Stream(b"c", "1", "speaker", RATE, 0, 0.0)
    heard, now, handed = Heard(stream, latency_s), 0.0, 0
    heard.wrote(Piece(bytes(8 * RATE), 0), 0.0)
    stream.samples = 4 * RATE
    heard.started(0.0)
    for tick in range(int((2 + outage_s) * 50)):
        now = tick / 50
        if not 1 <= now < 1 + outage_s:
            handed += RATE // 50
        heard.took(handed, now)
        assert heard.count(now) <= handed
    lag = handed - heard.count(now)
    assert lag <= (0.1 + 2 * latency_s) * RATE, "and goes on with the card"
