"""Said once, or in time, or not at all; and PCM in the form that was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sambertd_client import Client, RefusedError, SpeechError, Utterance
from sambertd_client import protocol as wire

from daemon.config import SpeakerConfig
from daemon.keys import KEPT_S, MOST_KEYS, Keys
from daemon.pcm import MAX_CHUNK, PcmForm
from daemon.stream import Stream, Wish
from tests.daemon.live import Connect, LiveDaemon, RawClient
from tests.daemon.quiet_card import QuietCard
from tests.daemon.tone import CHUNK, SLOW, tone


def until_playing(utterance: Utterance) -> None:
    while utterance.ttfa_ms is None:
        list(utterance._take())


@pytest.fixture
def client(quiet_card: QuietCard, start_daemon: Callable[..., LiveDaemon]) -> Iterator[Client]:
    with Client(start_daemon(SpeakerConfig()).endpoint) as client:
        yield client


def test_what_was_said_is_not_said_again(client: Client, quiet_card: QuietCard) -> None:
    first = client.say("好" * 5, sink="speaker", key="k").wait()
    with Client(client.endpoint) as reconnected:
        again = reconnected.say("好" * 5, sink="speaker", key="k").wait()
    assert (again.why, again.samples, again.heard_samples) == (first.why, 5 * CHUNK, 5 * CHUNK)
    assert np.count_nonzero(np.frombuffer(bytes(quiet_card.heard), "<i2")) <= 5 * CHUNK
    assert client.say("好", sink="speaker", key="other").wait().samples == CHUNK


def test_a_repeated_request_takes_a_live_one_over(client: Client) -> None:
    first = client.say("好" * 30, sink="speaker", key="k")
    waiting = client.say("好", sink="speaker")
    with Client(client.endpoint) as reconnected:
        again = reconnected.say("好" * 30, sink="speaker", key="k")
        assert first.wait().why == "superseded"
        assert again.wait().samples == 30 * CHUNK
    assert waiting.wait().why == "end"
    status = client.status()
    assert (status.done, status.superseded) == (2, 0)


def test_who_takes_it_over_is_told_where_it_stands(client: Client, raw_client: Connect) -> None:
    raw = raw_client(client.endpoint)
    first = client.say("好" * 80, sink="speaker", progress=True, key="k")
    until_playing(first)
    waiting = client.say("好" * 20, sink="speaker", key="w")
    accepted = raw.ask("say", text="好" * 80, sink="speaker", key="k")
    playing = raw.receive()[0]
    assert (accepted["t"], accepted["position"], accepted["start_s"]) == ("accepted", 0, 0.0)
    assert (playing["t"], playing["id"]) == ("playing", "1")
    assert 0 <= playing["at"] <= 80 * CHUNK
    assert raw.receive()[0]["t"] == "progress"
    behind = raw_client(client.endpoint)
    accepted = behind.ask("say", text="好" * 20, sink="speaker", key="w")
    assert accepted["position"] == 1
    assert accepted["start_s"] > 0
    told = [behind.receive()[0] for _ in range(2)]
    assert [reply["t"] for reply in told] == ["playing", "done"]
    assert (told[0]["at"], told[1]["samples"]) == (0, 20 * CHUNK)
    assert waiting.wait().why == "superseded"


def test_what_was_heard_at_a_hand_over_is_what_the_card_is_given(
    client: Client, raw_client: Connect
) -> None:
    first = client.say("好" * 60, sink="speaker", key="k")
    until_playing(first)
    client.say("好" * 60, sink="speaker", key="k")
    begun = time.monotonic()
    offsets = []
    for number in range(3):
        time.sleep(0.1)
        raw = raw_client(client.endpoint)
        assert raw.ask("say", text="好" * 60, sink="speaker", key="k", id=str(number))
        offsets.append(raw.receive()[0]["at"] / 16000)
        assert offsets[-1] < time.monotonic() - begun + 1
    assert offsets == sorted(offsets)
    assert offsets[-1] - offsets[0] > 0.15


def test_a_paused_one_stays_paused(client: Client, raw_client: Connect) -> None:
    raw = raw_client(client.endpoint)
    first = client.say("好" * 20, sink="speaker", key="k")
    until_playing(first)
    client.pause(first.id)
    accepted = raw.ask("say", text="好" * 20, sink="speaker", key="k")
    assert (accepted["t"], accepted["start_s"]) == ("accepted", None)
    held = raw.receive()[0]
    assert (held["t"], held["why"]) == ("held", "paused")
    assert raw.silent()
    assert raw.ask("resume", id="r", target="1")["ids"] == ["1"]
    told = [raw.receive()[0] for _ in range(2)]
    assert [reply["t"] for reply in told] == ["playing", "done"]
    assert told[1]["samples"] == 20 * CHUNK


@pytest.mark.parametrize("sink", ["speaker", "none"])
def test_what_ended_in_an_error_is_tried_again(client: Client, sink: wire.Sink) -> None:
    with pytest.raises(SpeechError) as caught:
        client.say(SLOW * 4, sink=sink, key="k", deadline_s=0.001).wait()
    assert caught.value.code == "deadline_passed"
    assert client.say("好" * 4, sink=sink, key="k").wait().samples == 4 * CHUNK
    assert client.say("好" * 4, sink=sink, key="k").wait().samples == 4 * CHUNK
    assert client.status().done == 1


def test_what_was_cancelled_stays_so(client: Client) -> None:
    spoken = client.say(SLOW * 40, sink="none", key="k")
    client.cancel(spoken.id)
    assert spoken.wait().why == "cancelled"
    assert client.say("好", sink="none", key="k").wait().why == "cancelled"


def test_what_may_be_asked_for_again_outlives_its_connection(client: Client) -> None:
    raw = RawClient(client.endpoint)
    for name, key in (("kept", "k"), ("given up", None)):
        said = raw.ask("say", id=name, text=SLOW * 40, sink="none", marks=["word"], key=key)
        assert said["t"] == "accepted"
    raw.close()
    while client.status().cancelled == 0:
        time.sleep(0.01)
    assert client.say("好", sink="none", key="k").wait().samples == 40 * CHUNK
    assert client.status().cancelled == 1


def test_audio_for_a_client_is_made_anew(client: Client) -> None:
    first = client.say(SLOW * 40, key="k")
    again = client.say("好" * 4, key="k")
    assert first.wait().why == "superseded"
    assert len(again.read()) == 4 * 2 * CHUNK
    assert len(client.say("好" * 4, key="k").read()) == 4 * 2 * CHUNK


def test_the_same_request_twice_on_one_connection_is_one(
    client: Client, raw_client: Connect
) -> None:
    raw = raw_client(client.endpoint)
    say = {"text": "好" * 10, "sink": "speaker", "key": "k"}
    assert raw.ask("say", **say)["t"] == "accepted"
    raw.send("say", **say)
    kinds = []
    while "done" not in kinds:
        kinds.append(raw.receive()[0]["t"])
    assert kinds.count("done") == 1
    assert raw.silent()


def test_a_deadline_ends_what_would_come_too_late(client: Client) -> None:
    long = client.say("好" * 40, sink="speaker")
    late = client.say("好", sink="speaker", deadline_s=0.3)
    with pytest.raises(SpeechError) as caught:
        late.wait()
    assert caught.value.code == "deadline_passed"
    assert long.wait().why == "end"
    assert client.say("好", sink="speaker", deadline_s=5).wait().why == "end"


def test_both_plays_and_streams(client: Client, quiet_card: QuietCard) -> None:
    spoken = client.say("好" * 10, sink="both")
    pcm = spoken.read()
    expected = np.concatenate([tone(index) for index in range(10)])
    np.testing.assert_allclose(np.frombuffer(pcm, "<i2") / 32767, expected, atol=2e-5)
    assert pcm in bytes(quiet_card.heard)
    assert spoken.done is not None
    assert (spoken.done.why, spoken.done.heard_samples) == ("end", 10 * CHUNK)


def test_a_client_that_takes_nothing_does_not_hold_the_speaker_up(
    client: Client, raw_client: Connect
) -> None:
    raw = raw_client(client.endpoint)
    assert raw.ask("say", text="好" * 12, sink="both", credit=1)["t"] == "accepted"
    replies: list[Any] = []
    while not replies or replies[-1]["t"] != "done":
        replies.append(raw.receive()[0])
    assert [reply["t"] for reply in replies].count("audio") == 1
    assert (replies[-1]["why"], replies[-1]["samples"]) == ("end", 12 * CHUNK)


def test_none_is_made_and_heard_by_nobody(client: Client, quiet_card: QuietCard) -> None:
    done = client.say("好" * 30, sink="none").wait()
    assert (done.why, done.samples, done.heard_samples) == ("end", 30 * CHUNK, None)
    assert not any(quiet_card.heard)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("name", ["pcm_s16le", "f32le"])
def test_rate_and_format(client: Client, rate: int, name: wire.Format) -> None:
    spoken = client.say("好" * 20, rate=rate, format=name)
    assert (spoken.rate, spoken.format) == (rate, name)
    data = spoken.read()
    pcm = np.frombuffer(data, "<i2") / 32767 if name == wire.FORMAT else np.frombuffer(data, "<f4")
    assert spoken.done is not None
    assert spoken.done.samples == len(pcm) == pytest.approx(rate, abs=2)  # 20 * 50 ms
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    assert float(spectrum.argmax()) * rate / len(pcm) == pytest.approx(441.3, abs=2)
    assert np.abs(pcm[rate // 4 : -rate // 4]).max() == pytest.approx(0.5, abs=0.02)


def test_floats_are_the_voices_own(client: Client) -> None:
    pcm = np.frombuffer(client.say("好好", format="f32le").read(), "<f4")
    np.testing.assert_array_equal(pcm, np.concatenate([tone(0), tone(1)]))


@pytest.mark.parametrize(
    "wish", [{"rate": 7999}, {"rate": 48001}, {"format": "mp3"}, {"key": ""}, {"deadline_s": 0}]
)
def test_wishes_out_of_range(client: Client, raw_client: Connect, wish: dict[str, object]) -> None:
    assert raw_client(client.endpoint).ask("say", text="好", **wish)["code"] == "bad_field"


def test_the_speaker_takes_no_format(client: Client) -> None:
    for sink in ("speaker", "both", "none"):
        with pytest.raises(RefusedError, match="leave them out") as caught:
            client.say("好", sink=sink, rate=8000)
        assert caught.value.code == "bad_field"


@settings(deadline=None)
@given(st.lists(st.integers(0, 30_000), max_size=5), st.sampled_from([None, 8000, 24000, 44100]))
def test_no_sample_is_lost_however_it_is_cut(sizes: list[int], rate: int | None) -> None:
    form, whole = PcmForm(16000, rate, "f32le"), PcmForm(16000, rate, "f32le")
    sound = np.sin(np.arange(sum(sizes), dtype=np.float32) / 9)
    parts: list[bytes] = []
    start = 0
    for size in sizes:
        parts += form.pieces(sound[start : start + size])
        start += size
    parts += form.tail()
    assert all(0 < len(part) <= 4 * MAX_CHUNK for part in parts)
    assert form.tail() == ()
    expected = b"".join([*whole.pieces(sound), *whole.tail()])
    np.testing.assert_allclose(
        np.frombuffer(b"".join(parts), "<f4"), np.frombuffer(expected, "<f4"), atol=1e-4
    )


def test_keys_are_forgotten_in_the_end() -> None:
    keys = Keys()
    accepted = wire.Accepted(id="1", voice="v", rate=16000, position=0, instance="i")
    for number in range(MOST_KEYS + 1):
        stream = Stream(b"c", "1", "speaker", 16000, 0, 0.0, Wish(key=str(number)))
        keys.remember(str(number), stream, accepted)
    keys.finished(stream, wire.Done(id="1", why="end"), 10.0)
    assert keys.find("0", 0.0) is None
    assert keys.find("1", 0.0) is not None
    last = keys.find(str(MOST_KEYS), 10.0 + KEPT_S)
    assert last is not None
    assert [type(answer) for answer in last.answers("2")] == [wire.Accepted, wire.Done]
    assert keys.find(str(MOST_KEYS), 10.1 + KEPT_S) is None


@pytest.mark.parametrize(
    ("why", "kept"), [("end", True), ("cancelled", True), ("superseded", True), ("error", False)]
)
def test_which_ends_are_final(why: wire.Why, kept: bool) -> None:
    keys = Keys()
    accepted = wire.Accepted(id="1", voice="v", rate=16000, position=0, instance="i")
    stream = Stream(b"c", "1", "none", 16000, 0, 0.0, Wish(key="k"))
    keys.remember("k", stream, accepted)
    keys.finished(stream, wire.Done(id="1", why=why), 10.0)
    assert (keys.find("k", 10.0) is not None) == kept
